"""What tests of commands ask for."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from midrise.foundation.observability import logs


@pytest.fixture(autouse=True)
def own_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command says where its process logs to; the tests that come after it are in the same process."""
    configure, root = structlog.configure, logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(
        structlog, "configure", lambda **said: configure(**said | {"cache_logger_on_first_use": False})
    )
    monkeypatch.setattr(logs, "_straight", logs._Straight())
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="midrise-") as name:
        yield Path(name)
