"""Where root can start servers as another user."""

import os
import stat
import sys
from pathlib import Path

import pytest


def _others_reach(folder: Path) -> bool:
    """Whether every user may enter the folder, and all that it stands in."""
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))


as_another_user = pytest.mark.skipif(
    os.geteuid() != 0 or not _others_reach(Path(sys.prefix)),
    reason="needs root, and an environment that other users reach: no temporary folder of mode 0700",
)
