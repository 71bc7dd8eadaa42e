"""Runs servers without root's rights when Midrise was started by root.

PostgreSQL refuses to run as root, and no server needs to. Where the kernel allows it, each runs in a user
namespace of its own as user 1000: no capabilities, and its files stay root's, so that folders which only root
can reach work. Elsewhere (many containers forbid namespaces) the servers become an unprivileged user of the
machine, which owns their folders.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from midrise.topology.errors import Refused

NAMESPACE = ("--user", "--map-user=1000", "--map-group=1000")
UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """As whom servers run: a command put in front of theirs, or another user of the machine."""

    prefix: tuple[str, ...] = ()
    user_id: int | None = None
    group_id: int | None = None

    def own(self, folder: Path) -> None:
        """Make a folder one that the account may write to, and nobody else."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.user_id is None or self.group_id is None:
            return
        os.chown(folder, self.user_id, self.group_id)
        if not self._reaches(folder):
            name = pwd.getpwuid(self.user_id).pw_name
            raise Refused(
                f"Started as root, the servers run as user {name}, who can't reach {folder}: "
                "set MIDRISE_HOME to a folder that every user can enter, or start Midrise as a user"
            )

    def let_through(self, folder: Path) -> None:
        """Let the account pass a folder of ours on the way to its own. It can't list what is in there."""
        if self.user_id is not None:
            folder.chmod(folder.stat().st_mode | 0o011)

    def write(self, path: Path, text: str) -> None:
        """Write a file that the account may read, and nobody else."""
        path.write_text(text)
        path.chmod(0o600)
        if self.user_id is not None and self.group_id is not None:
            os.chown(path, self.user_id, self.group_id)

    def _reaches(self, folder: Path) -> bool:
        test = ["/bin/sh", "-c", 'cd "$0"', str(folder)]
        return (
            subprocess.run(  # noqa: S603  a fixed command; the folder is an argument, not shell text
                test,
                user=self.user_id,
                group=self.group_id,
                extra_groups=[],
                check=False,
                stderr=subprocess.DEVNULL,
            ).returncode
            == 0
        )


@cache
def server_account() -> Account:
    """The account for servers: whoever started Midrise, unless that was root."""
    if os.geteuid() != 0:
        return Account()
    unshare = shutil.which("unshare")
    if unshare and _works([unshare, *NAMESPACE, "true"]):
        return Account(prefix=(unshare, *NAMESPACE))
    for name in UNPRIVILEGED:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(user_id=user.pw_uid, group_id=user.pw_gid)
    raise Refused(
        "Started as root, and there is no unprivileged user to run the servers: start Midrise as a user"
    )


def _works(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603  fixed words
