"""What was found out about a token, for as long as all that decides about it is as it was.

Who is behind a token follows from the records of four generations (of the signing keys, of the user, of what
roles allow, of what the session wrote) and from what this process remembers under their values. Every request
is told these records. Where they are the same as the last time, so is the caller, and nothing of it need be put
together again.
"""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from midrise.foundation import clock
from midrise.foundation.admission.keys_in_force import KeysInForce
from midrise.foundation.admission.known_callers import KnownCallers
from midrise.foundation.admission.session import Caller
from midrise.foundation.cache.generations import Seen
from midrise.foundation.cache.reads import Glance
from midrise.foundation.security.signing_keys import RingKeys
from midrise.foundation.security.tokens import AccessClaims

RECORDS_OF_TOKEN = 4
_MOST_TOKENS = 4096


class KnownToken(msgspec.Struct, frozen=True, eq=False):
    """The caller behind a token, and the records that say so: ``keys`` where they are kept, ``held`` what they
    held. ``until`` is when the session expires, in seconds since 1970.
    """

    claims: AccessClaims
    prefix: str
    keys: tuple[str, ...]
    held: Sequence[bytes | None]
    ring: RingKeys
    until: float
    caller: Caller
    writes: Seen

    def stands(self, held: Sequence[bytes | None]) -> bool:
        """Whether the caller is still the one, given what the records hold now."""
        return held[: len(self.held)] == self.held and self.until > clock.timestamp()


class KnownTokens:
    """The tokens that were asked about last."""

    def __init__(self, callers: KnownCallers, keys: KeysInForce) -> None:
        self._callers = callers
        self._keys = keys
        self._known: OrderedDict[bytes, KnownToken] = OrderedDict()

    def find(self, claims: AccessClaims, prefix: str) -> KnownToken | None:
        """What is known of a token whose signature was verified."""
        known = self._known.get(claims.digest)
        if known is None or known.prefix != prefix or known.ring is not self._keys.ring:
            return None
        self._known.move_to_end(claims.digest)
        return known

    def learn(
        self, claims: AccessClaims, prefix: str, seen: Sequence[Seen], held: Sequence[bytes | None]
    ) -> None:
        """Remember who is behind the token, if this process remembers all that it follows from.

        What was asked of the primary for this one request, and may not be kept, says nothing of the next.
        ``seen`` are the generations of the signing keys, the user, the roles and what the session wrote, and
        ``held`` the records that they were read from.
        """
        keys, user, roles, writes = seen
        ring = self._keys.ring
        found = self._callers.find_near(
            claims.session_id, claims.user_id, user=Glance(prefix, (user,)), roles=Glance(prefix, (roles,))
        )
        if found is None or not self._keys.are_in_force_near(claims.kid, Glance(prefix, (keys,))):
            return
        caller, until = found
        places = tuple([each.key for each in seen])
        self._known[claims.digest] = KnownToken(claims, prefix, places, held, ring, until, caller, writes)
        if len(self._known) > _MOST_TOKENS:
            self._known.popitem(last=False)
