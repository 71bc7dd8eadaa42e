"""The log: JSON, a line an event, to standard output; what collects logs reads it from there."""

import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TextIO

import msgspec
import structlog
from structlog.tracebacks import ExceptionDictTransformer

# Without the values of local variables: these hold passwords and tokens.
_TRACEBACKS = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=30))


@dataclass(frozen=True, slots=True)
class RequestIds:
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
    structlog.configure(
        processors=[
            *shared,
            _TRACEBACKS,
            structlog.processors.JSONRenderer(serializer=_as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=file),
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


def name_request(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    del logger, method
    ids = request_ids.get()
    if ids is not None:
        event["request_id"] = ids.request_id
        if ids.trace_id:
            event["trace_id"] = ids.trace_id
    return event


def _as_json(event: structlog.typing.EventDict, **options: Any) -> str:
    del options
    return msgspec.json.encode(event, enc_hook=repr).decode()


def _name_process(process: str) -> structlog.typing.Processor:
    def add_process(
        logger: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        del logger, method
        event["process"] = process
        return event

    return add_process
