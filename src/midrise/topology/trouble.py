"""Says what is wrong with a disk or folder in words that tell what to do."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from midrise.topology.errors import Refused

UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
FULL = {errno.ENOSPC, errno.EDQUOT}
NO_FOLDER = {errno.ENOTDIR, errno.EEXIST}


@contextmanager
def readable_trouble(home: Path) -> Iterator[None]:
    """Turn the system's refusals inside the block into one sentence about the state folder."""
    try:
        yield
    except OSError as trouble:
        raise Refused(sentence(trouble, home)) from trouble


def says_full(output: str) -> bool:
    """Whether a program that failed said that the disk is full, whatever else came of it."""
    return os.strerror(errno.ENOSPC) in output


def has_space(home: Path, *, least_bytes: int) -> bool:
    """Whether so much is free on the disk of the state folder."""
    return shutil.disk_usage(home).free >= least_bytes


def full_disk(folder: Path) -> str:
    return f"The disk that holds {folder} is full: free some space, or set MIDRISE_HOME to another disk"


def sentence(trouble: OSError, home: Path) -> str:
    """What the system's refusal means for whoever started Midrise."""
    if trouble.errno in UNWRITABLE:
        return f"{home} can't be written to ({trouble.strerror}): set MIDRISE_HOME to a folder that can"
    if trouble.errno in FULL:
        return full_disk(home)
    if trouble.errno in NO_FOLDER:
        return f"{home} can't be a folder, because a file is in its way: set MIDRISE_HOME to another one"
    return f"{trouble.filename or home}: {trouble.strerror}"
