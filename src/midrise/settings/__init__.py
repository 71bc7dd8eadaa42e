"""Every setting of Midrise, its meaning and its default.

A setting ``database.url`` is ``MIDRISE_DATABASE_URL`` in the environment, ``MIDRISE_DATABASE_URL_FILE`` for a
file that holds it, or ``url`` under ``[database]`` in ``midrise.toml``; the environment wins. A variable that
starts with ``MIDRISE_`` and is no setting is an error: a misspelt one must not be dropped in silence.

    loading.py     reads the environment, files and midrise.toml
    sections.py    the settings in their groups
    rules.py       what a value must be, where a type and a range don't say it
    faults.py      what is said of one that is not
"""

from midrise.settings.faults import PREFIX, SettingsInvalid
from midrise.settings.loading import Settings, environment_of_process, load, load_or_exit
from midrise.settings.sections import Section

__all__ = [
    "PREFIX",
    "Section",
    "Settings",
    "SettingsInvalid",
    "environment_of_process",
    "load",
    "load_or_exit",
]
