"""Processes that do nothing."""

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any

import psutil
from tests.topology.house import wait_for


@contextlib.contextmanager
def sleeping(**started: Any) -> Iterator[subprocess.Popen[bytes]]:
    """One that leads a session of its own, ``started`` in a folder or environment as `subprocess.Popen` has it.

    Its program has been loaded: before that it has no arguments, and a signal may be lost on it.
    """
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True, **started) as process:
        try:
            wait_for(lambda: psutil.Process(process.pid).cmdline() == ["/bin/sleep", "60"])
            yield process
        finally:
            process.kill()
