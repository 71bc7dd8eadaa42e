"""The keys that sign access tokens, put together."""

from dataclasses import dataclass

from midrise.foundation.module import House
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.signing_keys.repository import PostgresSigningKeys
from midrise.modules.identity.signing_keys.service import KeyChanges, SigningKeys


@dataclass(frozen=True, slots=True)
class Signing:
    """The services behind signing keys."""

    keys: SigningKeys
    changes: KeyChanges


def build_signing(house: House) -> Signing:
    table = PostgresSigningKeys()
    keys = SigningKeys(database=house.database, keys=table, ring=house.key_ring, master=house.master)
    changes = KeyChanges(
        database=house.database,
        keys=table,
        master=house.master,
        token_seconds=house.access_tokens.lifetime_seconds,
        audit=house.services.get(AuditTrail),
    )
    return Signing(keys, changes)
