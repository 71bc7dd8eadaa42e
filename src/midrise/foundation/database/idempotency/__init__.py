"""Calls that may be made twice and count once (draft-ietf-httpapi-idempotency-key-header-07)."""

from midrise.foundation.database.idempotency.attempt import (
    Attempt,
    IdempotencyInProgress,
    IdempotencyKeyReused,
)
from midrise.foundation.database.idempotency.records import AttemptRecords, Kept

__all__ = ["Attempt", "AttemptRecords", "IdempotencyInProgress", "IdempotencyKeyReused", "Kept"]
