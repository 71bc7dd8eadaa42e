"""What is limited, how much, and for whom."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Self
from uuid import UUID

import msgspec

from midrise.foundation.ids import text_of

_MOST_PER_SECOND = 1_000_000
_QUOTA_IN_SECONDS = re.compile(r"(?P<quota>[0-9]{1,9})/(?P<window>[0-9]{1,5})")
_IPV6_SITE_BITS = 64  # one customer has a /64 at least: who is limited by address has no more than one


class LimitName(StrEnum):
    """Every limit there is, as ``area`` or ``area.action``. Clients see the name in `RateLimit-Policy`."""

    DEFAULT = "default"
    """All calls of a caller."""
    AUTH_LOGIN = "auth.login"
    """Attempts to log in."""
    AUTH_REGISTER = "auth.register"
    """New accounts."""
    AUTH_MAIL = "auth.mail"
    """Mails that anyone can ask for."""

    @property
    def is_by_address(self) -> bool:
        """Whether the address counts even where the caller is known: else each account would bring a quota."""
        return self is not LimitName.DEFAULT


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many requests in so many seconds, all at once or spread out."""

    quota: int = 600
    window_seconds: int = 60
    interval_us: int = field(init=False, repr=False)
    """Microseconds after which one request is allowed again, rounded up."""
    tolerance_us: int = field(init=False, repr=False)
    """Microseconds that a caller who uses all at once is ahead of an even pace."""

    def __post_init__(self) -> None:
        if self.quota < 1 or self.window_seconds < 1:
            raise ValueError("a rate limit allows at least one request in at least one second")
        if self.quota > self.window_seconds * _MOST_PER_SECOND:
            raise ValueError("a rate limit allows at most a million requests a second")
        # Every request asks for these.
        interval_us = -(-self.window_seconds * 1_000_000 // self.quota)
        object.__setattr__(self, "interval_us", interval_us)
        object.__setattr__(self, "tolerance_us", interval_us * self.quota)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``600/60``, requests in seconds; None for ``off``. Raises `ValueError`."""
        if text == "off":
            return None
        match = _QUOTA_IN_SECONDS.fullmatch(text)
        if match is None:
            raise ValueError("a rate limit is written as requests/seconds, such as 600/60, or off")
        return cls(int(match["quota"]), int(match["window"]))

    def share(self, parts: int) -> "RateLimit":
        """One part of that many, at least one request in the same time."""
        return RateLimit(max(1, self.quota // parts), self.window_seconds)


RateLimits = Mapping[LimitName, RateLimit | None]
"""The rule of each limit; None switches it off. One that is left out has the rule of `default`."""


class RateVerdict(msgspec.Struct, frozen=True):
    """Whether one more request passes, and what is left.

    `reset_seconds` is the time until the full quota is back; `retry_after_seconds` the time until the next
    request passes, 0 if it does now.
    """

    limit: LimitName
    quota: int
    window_seconds: int
    allowed: bool
    remaining: int
    reset_seconds: int
    retry_after_seconds: int


def user_key(user_id: UUID) -> str:
    """A logged-in user as limits know them, whatever device and address they use."""
    return f"user:{text_of(user_id)}"


def api_key_key(api_key_id: UUID) -> str:
    """A program that calls with an API key."""
    return f"key:{api_key_id}"


@lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """A visitor by address; in IPv6 by the network of 64 bits, for a single machine has as many addresses.

    What is no address counts together: no client may get a quota of its own by confusing us.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "ip:unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return f"ip:{parsed}"
    if parsed.ipv4_mapped is not None:
        return f"ip:{parsed.ipv4_mapped}"
    site = ipaddress.IPv6Network((int(parsed), _IPV6_SITE_BITS), strict=False)
    return f"ip:{site}"
