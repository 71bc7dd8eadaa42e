"""What may be done in one place only: commits, the environment, the wall clock."""

import pytest
from tests.architecture.source import SOURCE, SourceFile, source_files

COMMITS = ("*.commit",)
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv")
WALL_CLOCK = (
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime"),
    *("datetime.now", "datetime.datetime.now", "date.today", "datetime.date.today"),
    *("*.utcnow", "*.fromtimestamp"),
)
ALLOWED = (
    *((COMMITS, "foundation/database/"),),
    *((ENVIRONMENT, "settings/loading.py"),),
    *((WALL_CLOCK, "foundation/clock.py"),),
)


@pytest.mark.parametrize(("names", "place"), ALLOWED, ids=["commit", "environment", "wall clock"])
def test_stands_in_its_one_place_only(names: tuple[str, ...], place: str) -> None:
    files = [file for file in source_files(SOURCE) if not file.place.startswith(place)]
    assert [use for file in files for use in file.uses(*names)] == []


@pytest.mark.parametrize(("names", "place"), ALLOWED, ids=["commit", "environment", "wall clock"])
def test_is_found_where_it_may_stand(names: tuple[str, ...], place: str) -> None:
    files = [file for file in source_files(SOURCE) if file.place.startswith(place)]
    assert [use for file in files for use in file.uses(*names)]


@pytest.mark.parametrize(
    "text",
    [
        "from os import environ",
        "import os\nos.environ['MIDRISE_HOME']",
        "import os\nos.getenv('MIDRISE_HOME')",
        "from time import time",
        "import time\ntime.time()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.now()",
        "import datetime\ndatetime.datetime.utcnow()",
        "from datetime import date\ndate.today()",
        "async def save(tx): await tx.connection.transaction().commit()",
    ],
)
def test_no_spelling_gets_by(text: str) -> None:
    assert list(SourceFile("made_up.py", text).uses(*COMMITS, *ENVIRONMENT, *WALL_CLOCK))
