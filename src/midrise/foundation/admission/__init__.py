"""Admission: the rate limit and the caller's session, before anything else is done for a request."""

from midrise.foundation.admission.admission import Admission, Admitted, OverLimit
from midrise.foundation.admission.limits import LimitName, RateLimit, RateLimits, RateVerdict
from midrise.foundation.admission.rate_limit import (
    FallbackRateLimiter,
    LocalRateLimiter,
    RateLimiter,
    ValkeyRateLimiter,
)
from midrise.foundation.admission.session import Caller, SessionSource

__all__ = [
    "Admission",
    "Admitted",
    "Caller",
    "FallbackRateLimiter",
    "LimitName",
    "LocalRateLimiter",
    "OverLimit",
    "RateLimit",
    "RateLimiter",
    "RateLimits",
    "RateVerdict",
    "SessionSource",
    "ValkeyRateLimiter",
]
