"""The log: JSON, a line an event, to standard output; what collects logs reads it from there."""

import asyncio
import atexit
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import TextIO

import msgspec
import structlog
from structlog.tracebacks import ExceptionDictTransformer

from midrise.foundation import clock

# Without the values of local variables: these hold passwords and tokens.
_DELAY_SECONDS = 0.005
_TRACEBACKS = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=30))


class RequestIds(msgspec.Struct, frozen=True):
    """What joins the lines of one request; ``trace_id`` is empty where its client sent none."""

    request_id: str
    trace_id: str = ""


request_ids: ContextVar[RequestIds | None] = ContextVar("request_ids", default=None)
"""Those of the request under way."""


def configure(*, process: str, level: str, file: TextIO | None = None) -> None:
    """Have every logger of this process, structlog's and the standard library's, write JSON lines.

    ``process`` is the name that each line carries; ``level`` one of debug, info, warning, error. ``file`` is
    where they go, for commands that have something else to say on standard output.
    """
    file = file or sys.stdout
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        name_request,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_process(process),
    ]
    lines, as_line = Lines(file), _as_line(process)
    _straight.write = _write_info(lines, process) if number <= logging.INFO else _write_nothing
    structlog.configure(
        processors=[as_line],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(file)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _TRACEBACKS,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    # The access log says more of each request, and says it once.
    logging.getLogger("uvicorn.access").disabled = True


def tell(said: dict[str, object]) -> None:
    """Log at level info, as structlog's loggers do; what is said, its ``event`` among it, is taken over.

    Each request has a line. To send it through structlog costs a tenth of a request that is answered from
    memory, so it is written without.
    """
    write = _straight.write
    if write is None:
        structlog.get_logger().info(**said)
    else:
        write(said)


def name_request(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    del logger, method
    ids = request_ids.get()
    if ids is not None:
        event["request_id"] = ids.request_id
        if ids.trace_id:
            event["trace_id"] = ids.trace_id
    return event


class Lines:
    """Where the lines of structlog's loggers go.

    What a few milliseconds say is written at once, for each writing is a system call; what warns is written
    without delay, behind all that was said before.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._waiting: list[str] = []
        atexit.register(self._flush)

    def info(self, line: str) -> None:
        """Write the line soon; at once where no event loop runs."""
        self._waiting.append(line)
        if len(self._waiting) > 1:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._flush()
        else:
            loop.call_later(_DELAY_SECONDS, self._flush)

    def warning(self, line: str) -> None:
        """Write the line now."""
        self._waiting.append(line)
        self._flush()

    debug = msg = info
    error = critical = exception = log = warning

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._file.closed:
            self._file.write("\n".join([*waiting, ""]))
            self._file.flush()


class _Straight:
    """How `tell` writes; it is structlog's until the log is configured."""

    write: Callable[[structlog.typing.EventDict], None] | None = None


_straight = _Straight()


def _write_info(lines: Lines, process: str) -> Callable[[structlog.typing.EventDict], None]:
    """What `_as_line` does with an event of that level, which a request has one of."""
    encode, write = msgspec.json.Encoder(enc_hook=repr).encode, lines.info

    def write_info(event: structlog.typing.EventDict) -> None:
        event = name_request(None, "info", event)
        event["level"] = "info"
        event["timestamp"] = clock.text_of_now()
        event["process"] = process
        write(encode(event).decode())

    return write_info


def _write_nothing(event: structlog.typing.EventDict) -> None:
    del event


def _as_line(process: str) -> structlog.typing.Processor:
    """All that becomes of an event in one step: a request has a line, and the line is much of its cost."""
    encode = msgspec.json.Encoder(enc_hook=repr).encode

    def as_line(logger: object, method: str, event: structlog.typing.EventDict) -> str:
        if "exc_info" in event:
            event = dict(_TRACEBACKS(logger, method, event))
        event = name_request(logger, method, event)
        event["level"] = "error" if method == "exception" else method
        event["timestamp"] = clock.text_of_now()
        event["process"] = process
        return encode(event).decode()

    return as_line


def _name_process(process: str) -> structlog.typing.Processor:
    def add_process(
        logger: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        del logger, method
        event["process"] = process
        return event

    return add_process
