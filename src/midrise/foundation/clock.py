"""The one place that asks what time it is."""

import time
from datetime import UTC, datetime
from functools import lru_cache


def now() -> datetime:
    """The present moment in UTC, to the microsecond."""
    return datetime.now(UTC)


def text_of_now() -> str:
    """The present moment in UTC as log lines have it (RFC 3339): `2026-11-28T07:20:28.000123Z`."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_text_of_second(seconds)}.{microseconds:06d}Z"


def timestamp() -> float:
    """Seconds since 1970 in UTC."""
    return time.time()


@lru_cache(maxsize=2)
def _text_of_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]
