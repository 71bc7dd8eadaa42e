"""How far a database has come: what a client has seen or written, and what a server has replayed."""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from midrise.foundation.errors import Fault, FaultCode, Malformed
from midrise.foundation.security.macs import Mac

_FIELDS = struct.Struct(">QIQ")  # system identifier, timeline, byte in the write-ahead log
_MAC_BYTES = 10
_MOST_KNOWN = 4096


class InvalidConsistencyToken(Malformed):
    """The `Consistency-Token` was changed on its way: send the last one exactly as it came, or none."""

    code = "invalid_consistency_token"
    title = "The Consistency-Token is not one of ours"

    def __init__(self) -> None:
        fault = Fault(FaultCode.INVALID_CONSISTENCY_TOKEN, header="Consistency-Token")
        super().__init__("The Consistency-Token was changed", faults=[fault])


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the history of one database: its system identifier, the timeline, and the byte of the log.

    Only places of the same system and timeline can be compared.
    """

    system: int
    timeline: int
    lsn: int

    def covers(self, other: "Position") -> bool:
        """Whether a server at this place has everything that was there at the other."""
        return self.is_comparable(other) and self.lsn >= other.lsn

    def is_comparable(self, other: "Position") -> bool:
        return (self.system, self.timeline) == (other.system, other.timeline)


NOWHERE = Position(0, 0, 0)
"""A place that no server covers: who has been there is served by the primary."""


@dataclass(slots=True)
class Consistency:
    """What one request may not fall behind, and how far it has come.

    ``required`` is None for a client that said nothing; ``known_caller`` is set where that client may have
    written before, or another one of the same session. Then only the primary will do, or a server that has seen
    the end of all below ``own_horizon``; while there is no primary, a server will do that has reached what is
    required. ``writer`` is the generation of what this caller writes. An answer that is to be kept must
    have seen the end of all below ``kept_horizon``; where ``is_to_settle``, a horizon has to be found first,
    which only the primary can tell. ``prefers_primary`` is set while the cache is off: then nothing tells what
    was committed a moment ago, so the primary answers as long as there is one. ``xmin`` and ``next_xid`` tell
    what the reads have seen.
    """

    required: Position | None = None
    known_caller: bool = False
    writer: str | None = None
    own_horizon: int | None = None
    kept_horizon: int | None = None
    is_to_settle: bool = False
    prefers_primary: bool = False
    reached: Position | None = None
    xmin: int | None = None
    next_xid: int | None = None

    def note_snapshot(self, xmin: int, *, next_xid: int | None) -> None:
        """Something was read: every transaction below ``xmin`` had ended before.

        ``next_xid`` is above every transaction that had begun to write before; a replica can't tell.
        """
        self.xmin = xmin if self.xmin is None else min(self.xmin, xmin)
        self.next_xid = next_xid if self.next_xid is None else self.next_xid

    def note_shown(self, position: Position) -> None:
        """Something was shown that is of today, and was read at that place: no later answer may fall behind it.

        What is comparable and behind what the client has seen says nothing new.
        """
        if self.reached is None:
            needed = self.required
            if needed is None or not position.is_comparable(needed) or position.lsn > needed.lsn:
                self.reached = position

    def note(self, position: Position) -> None:
        """Something of that place was seen or written."""
        if self.reached is None or not position.is_comparable(self.reached) or position.lsn > self.reached.lsn:
            self.reached = position

    @property
    def only_primary(self) -> bool:
        """Whether nobody can say what the client may have written, so that only the primary will do."""
        if self.is_to_settle:
            return True
        return self.known_caller and self.needed is None and self.own_horizon is None

    @property
    def keeping(self) -> str | None:
        """Who keeps to one replica: a session or API key that sends no token to judge all replicas by."""
        return self.writer if self.required is None else None

    @property
    def is_best_on_primary(self) -> bool:
        """Whether the primary is to answer as long as there is one."""
        return self.prefers_primary or (self.known_caller and self.own_horizon is None)

    @property
    def horizon(self) -> int:
        """A server must have seen the end of all transactions below it."""
        return max(self.own_horizon or 0, self.kept_horizon or 0)

    @property
    def horizon_without_primary(self) -> int:
        """The same while there is no primary: then who sends a token is content with what that says."""
        return self.horizon if self.required is None else self.kept_horizon or 0

    @property
    def needed(self) -> Position | None:
        """What the next read of the request must have reached."""
        known = [place for place in (self.required, self.reached) if place is not None]
        if len(known) == 2 and known[0].is_comparable(known[1]):
            return max(known, key=lambda place: place.lsn)
        return known[-1] if known else None

    def told(self, otherwise: Position | None) -> Position:
        """The place to tell the client: the furthest of what it knew and what it was shown."""
        return self.needed or otherwise or NOWHERE


consistency: ContextVar[Consistency | None] = ContextVar("consistency", default=None)
"""That of the request under way. Every read and write of a request has part in it, however deep it happens."""


class ConsistencyTokens:
    """Writes and reads the opaque tokens that carry positions."""

    def __init__(self, key: bytes) -> None:
        self._key = Mac(key)
        # Answers in a row mostly tell of the same place, and each remembered one of its own.
        self._sign_known = lru_cache(maxsize=_MOST_KNOWN)(self._sign)

    def sign(self, position: Position) -> str:
        return self._sign_known(position)

    def _sign(self, position: Position) -> str:
        payload = _FIELDS.pack(position.system, position.timeline, position.lsn)
        return urlsafe_b64encode(self._mac(payload) + payload).rstrip(b"=").decode()

    def read(self, token: str) -> Position:
        """Raises `InvalidConsistencyToken`."""
        try:
            signed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (ValueError, UnicodeEncodeError):
            raise InvalidConsistencyToken from None
        mac, payload = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
        spelling = urlsafe_b64encode(signed).rstrip(b"=").decode()
        if (
            len(payload) != _FIELDS.size
            or spelling != token
            or not hmac.compare_digest(mac, self._mac(payload))
        ):
            raise InvalidConsistencyToken
        return Position(*_FIELDS.unpack(payload))

    def _mac(self, payload: bytes) -> bytes:
        return self._key.digest(payload)[:_MAC_BYTES]
