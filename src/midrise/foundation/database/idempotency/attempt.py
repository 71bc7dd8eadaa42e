"""One try at a call that may be made again, by its client or by the gateway."""

import hashlib
from dataclasses import dataclass, field

from midrise.foundation.errors import AppError, Conflict, Fault, FaultCode, Invalid

HEADER = "Idempotency-Key"


class IdempotencyKeyReused(Invalid):
    """The `Idempotency-Key` belongs to another call with another body: take a fresh one for each operation."""

    code = "idempotency_key_reused"
    title = "The Idempotency-Key was used for another request"
    detail = "The same key came with another request before"

    def __init__(self) -> None:
        AppError.__init__(self, faults=[Fault(FaultCode.ALREADY_USED, header=HEADER)])


class IdempotencyInProgress(Conflict):
    """A call with the same `Idempotency-Key` is still under way: ask again in a moment for its answer."""

    code = "idempotency_in_progress"
    title = "The same request is under way"
    detail = "A request with the same Idempotency-Key has not ended yet"


@dataclass(slots=True)
class Attempt:
    """What makes two requests the same: their caller, their key, and what they ask for.

    A client makes the key up, and may be refused for it. One that is ``of_gateway`` numbers the requests that
    came to the gateway, which may send each of them twice: what differs in anything is another call, never a
    wrong one. The body is hashed while it is read, so its size doesn't matter. ``replayed`` is set where an
    earlier attempt's result was given again.
    """

    scope: str
    key: str
    target: str
    of_gateway: bool = False
    replayed: bool = False
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256, repr=False)

    def __post_init__(self) -> None:
        self._hash.update(self.target.encode() + b"\0")

    def add_body(self, part: bytes) -> None:
        """Take the next part of the body into the fingerprint."""
        self._hash.update(part)

    @property
    def fingerprint(self) -> bytes:
        """Stands for the target and all of the body that was read."""
        return self._hash.digest()

    @property
    def record_id(self) -> bytes:
        """Stands for the caller and its key; neither can be read from it."""
        if self.of_gateway:
            # No scope of a client's key begins like this.
            return hashlib.sha256(f"gateway\0{self.scope}\0{self.key}\0".encode() + self.fingerprint).digest()
        return hashlib.sha256(f"{self.scope}\0{self.key}".encode()).digest()
