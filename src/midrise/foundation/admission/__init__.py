"""Admission: the rate limit and the caller's session, before anything else is done for a request."""

from midrise.foundation.admission.admission import Admission, Admitted, OverLimit, Settling
from midrise.foundation.admission.asking import AskingBounds
from midrise.foundation.admission.keys_in_force import KeysInForce, KeySource, UsableKeys
from midrise.foundation.admission.known_callers import KnownCallers
from midrise.foundation.admission.known_tokens import KnownTokens
from midrise.foundation.admission.limits import LimitName, RateLimit, RateLimits, RateVerdict
from midrise.foundation.admission.programs import ApiKeySource, ApiKeyState, program
from midrise.foundation.admission.questions import CALLER, CachedAdmission, writes_generation
from midrise.foundation.admission.rate_limit import (
    FallbackRateLimiter,
    LocalRateLimiter,
    RateLimiter,
    ValkeyRateLimiter,
)
from midrise.foundation.admission.session import Caller, RoleGrants, SessionSource, SessionState

__all__ = [
    "CALLER",
    "Admission",
    "Admitted",
    "ApiKeySource",
    "ApiKeyState",
    "AskingBounds",
    "CachedAdmission",
    "Caller",
    "FallbackRateLimiter",
    "KeySource",
    "KeysInForce",
    "KnownCallers",
    "KnownTokens",
    "LimitName",
    "LocalRateLimiter",
    "OverLimit",
    "RateLimit",
    "RateLimiter",
    "RateLimits",
    "RateVerdict",
    "RoleGrants",
    "SessionSource",
    "SessionState",
    "Settling",
    "UsableKeys",
    "ValkeyRateLimiter",
    "program",
    "writes_generation",
]
