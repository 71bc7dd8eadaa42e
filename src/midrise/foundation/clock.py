"""The one place that asks what time it is."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment in UTC, to the microsecond."""
    return datetime.now(UTC)


def timestamp() -> float:
    """Seconds since 1970 in UTC."""
    return time.time()
