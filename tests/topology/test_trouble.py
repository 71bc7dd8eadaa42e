"""What the system's refusals mean."""

import errno
import os
from pathlib import Path

import pytest

from midrise.topology.errors import Refused
from midrise.topology.trouble import has_space, readable_trouble, says_full


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "can't be written to (Permission denied)"),
        (errno.EROFS, "can't be written to (Read-only file system)"),
        (errno.ENOSPC, "is full: free some space"),
        (errno.EDQUOT, "is full: free some space"),
        (errno.ENOTDIR, "a file is in its way"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_each_refusal_is_one_sentence_about_the_folder(number: int, said: str) -> None:
    with pytest.raises(Refused) as refusal, readable_trouble(Path("/state")):
        raise OSError(number, os.strerror(number))
    assert said in str(refusal.value)
    assert "/state" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_program_that_met_a_full_disk_is_known_by_its_words() -> None:
    assert says_full("LOG: a\nPANIC: could not write: No space left on device\nLOG: b")
    assert not says_full("FATAL: no")


def test_free_space_is_measured(tmp_path: Path) -> None:
    assert has_space(tmp_path, least_bytes=1)
    assert not has_space(tmp_path, least_bytes=2**60)
