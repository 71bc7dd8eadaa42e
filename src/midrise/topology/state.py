"""The state folder: who uses it, which version made it, and which processes were started from it.

midrise.json       the format of the folder, and where its sockets are
lock               held by the one supervisor that may use the folder
processes.json     the processes that it started, so that the next one can end what a killed one left
sockets/           every Unix socket, unless the path is too long or too strange for them
postgres/ valkey/ gateway/ logs/ mail/ master.secret
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from midrise.topology.errors import Refused
from midrise.topology.privileges import server_account
from midrise.topology.trouble import readable_trouble

FORMAT = 1
SOCKET_PATH_LIMIT = 100
"""Bytes. The system's own limit is 107 on Linux and 103 on macOS, the last for a NUL."""
PLAIN_PATH = re.compile("[A-Za-z0-9/._-]+")
"""What needs no quoting in a URL, a connection string or a configuration."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
LONGEST_SOCKET_NAME = len("/api.64.internal.sock")
SHORT_PARENT = Path("/tmp")  # noqa: S108  the folder inside is made by mkdtemp: private, and of no foreseeable name


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder that holds everything of one topology."""

    home: Path

    @property
    def postgres(self) -> Path:
        return self.home / "postgres"

    @property
    def valkey(self) -> Path:
        return self.home / "valkey"

    @property
    def gateway(self) -> Path:
        return self.home / "gateway"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def mail(self) -> Path:
        """Mails that no mail server takes."""
        return self.home / "mail"

    @property
    def supervisor_output(self) -> Path:
        """What a detached supervisor prints: nothing, unless it crashes."""
        return self.logs / "supervisor.crash"

    @property
    def processes(self) -> Path:
        return self.home / "processes.json"

    @property
    def master_secret(self) -> Path:
        return self.home / "master.secret"

    @property
    def sockets(self) -> Path:
        """The folder of the sockets, as it was chosen when the topology was last started."""
        return Path(str(self._passport().get("sockets", self.home / "sockets")))

    @property
    def control(self) -> Path:
        """The socket on which the supervisor takes orders."""
        return self.sockets / "control.sock"

    def prepare(self) -> None:
        """Make the folder usable for this start. Call it while holding the lock."""
        with readable_trouble(self.home):
            sockets = self._choose_sockets()
            server_account().let_through(self.home)
            for folder in (self.logs, self.gateway, sockets):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._write_passport({"format": FORMAT, "sockets": str(sockets)})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process alone; raises Refused when another one does."""
        with readable_trouble(self.home):
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_private()
            descriptor = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(
                    f"Midrise already runs on {self.home}: see midrise status, or stop it with midrise down"
                ) from None
            self._refuse_newer()
            yield
        finally:
            os.close(descriptor)

    def is_locked(self) -> bool:
        """Whether a supervisor uses the folder now."""
        try:
            with (self.home / "lock").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def make_master_secret(self) -> None:
        """Make the secret that every other comes from, unless there is one: 32 random bytes in base64url."""
        if self.master_secret.exists():
            return
        with readable_trouble(self.home):
            unfinished = self.master_secret.with_suffix(".unfinished")
            unfinished.unlink(missing_ok=True)
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{secrets.token_urlsafe(32)}\n")
                file.flush()
                os.fsync(descriptor)
            unfinished.rename(self.master_secret)

    def remove_sockets(self) -> None:
        """Remove the sockets that are left, and their folder."""
        folder = self.sockets
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                if stat.S_ISSOCK(path.lstat().st_mode):
                    path.unlink()
            folder.rmdir()

    def _make_private(self) -> None:
        """Close a folder of ours to other writers; raises Refused for one of another user, who could write."""
        facts = self.home.stat()
        if facts.st_uid != os.geteuid():
            raise Refused(f"{self.home} belongs to another user: set MIDRISE_HOME to a folder of your own")
        if facts.st_mode & OTHERS_WRITE:
            self.home.chmod(0o700)

    def _choose_sockets(self) -> Path:
        own = self.home / "sockets"
        is_short = len(os.fsencode(own)) + LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT
        if is_short and PLAIN_PATH.fullmatch(str(own)):
            return own
        known = self.sockets
        if known != own and _is_private(known):
            return known
        return Path(tempfile.mkdtemp(prefix="midrise-", dir=SHORT_PARENT))

    def _refuse_newer(self) -> None:
        made_by = self._passport().get("format", FORMAT)
        if not isinstance(made_by, int) or made_by > FORMAT:
            raise Refused(
                f"{self.home} was made by a newer Midrise: install that one, or set MIDRISE_HOME elsewhere"
            )

    def _passport(self) -> dict[str, object]:
        try:
            passport = json.loads((self.home / "midrise.json").read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            raise Refused(f"{self.home / 'midrise.json'} is damaged: remove it, nothing else is lost") from None
        return passport if isinstance(passport, dict) else {}

    def _write_passport(self, passport: dict[str, object]) -> None:
        write_whole(self.home / "midrise.json", json.dumps(passport) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(text)
    unfinished.chmod(0o600)
    unfinished.rename(path)


def _is_private(folder: Path) -> bool:
    """Whether a folder is ours alone, and not one that somebody else has put in its place."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & 0o077
