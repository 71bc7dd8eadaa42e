"""What commands that talk to the database share: settings, and one sentence for what can't be done."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from pydantic import SecretStr

from midrise.foundation.errors import AppError, Invalid
from midrise.settings import Settings, load_or_exit
from midrise.topology.embedded import running_url
from midrise.topology.errors import Refused
from midrise.topology.state import StateFolder


def settings_of_process() -> Settings:
    """The settings; one sentence a fault and exit code 2 where they can't be used."""
    return load_or_exit()


def settings_of_command() -> Settings:
    """The settings, for what has something to say on standard output: it logs to standard error."""
    from midrise.foundation.observability import logs

    logs.configure(process="midrise", level="warning", file=sys.stderr)
    return load_or_exit()


def settings_of_running() -> Settings:
    """The settings, with the embedded database and the secret of the home folder where none are given.

    For commands that people run beside `midrise up`; servers are told everything.
    """
    settings = settings_of_command()
    state = StateFolder(settings.home.absolute())
    updates: dict[str, object] = {}
    if settings.database.url is None and state.is_locked():
        with refuse_or():
            url = running_url(state)
        updates["database"] = settings.database.model_copy(update={"url": SecretStr(url)})
    if settings.master.secret is None and state.master_secret.exists():
        text = state.master_secret.read_text(encoding="ascii").strip()
        updates["master"] = settings.master.model_copy(update={"secret": SecretStr(text)})
    return settings.model_copy(update=updates)


@contextmanager
def refuse_or() -> Iterator[None]:
    """Turn what stands against a command into its sentence on standard error and exit code 1."""
    from midrise.app import SettingMissing
    from midrise.foundation.database.migrations import MigrationFailed
    from midrise.foundation.http.access import AccessUndeclared
    from midrise.foundation.localization import Language, fault_text
    from midrise.foundation.security.secrets import SealBroken, SecretRefused

    try:
        yield
    except Invalid as invalid:
        faults = [f"{fault.pointer or ''} {fault_text(fault, Language.ENGLISH)}" for fault in invalid.faults]
        _refuse("; ".join(fault.strip() for fault in faults) + ".")
    except AppError as error:
        _refuse(f"{error}.")
    except OSError as trouble:
        _refuse(f"That can't be done: {trouble}.")
    except (MigrationFailed, SecretRefused, SealBroken, AccessUndeclared) as refused:
        _refuse(str(refused))
    except (SettingMissing, Refused, ValueError) as refused:
        _refuse(str(refused))


def _refuse(sentence: str) -> None:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
