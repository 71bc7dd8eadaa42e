"""Says what is wrong with a disk or folder in words that tell what to do."""

import errno
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


def sentence(trouble: OSError, home: Path) -> str:
    """What the system's refusal means for whoever started Midrise."""
    if trouble.errno in UNWRITABLE:
        return f"{home} can't be written to ({trouble.strerror}): set MIDRISE_HOME to a folder that can"
    if trouble.errno in FULL:
        return f"The disk that holds {home} is full: free some space, or set MIDRISE_HOME to another disk"
    if trouble.errno in NO_FOLDER:
        return f"{home} can't be a folder, because a file is in its way: set MIDRISE_HOME to another one"
    return f"{trouble.filename or home}: {trouble.strerror}"
