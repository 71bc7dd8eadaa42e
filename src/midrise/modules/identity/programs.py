"""People's programs put together: the keys that they call with."""

from dataclasses import dataclass

from midrise.foundation.module import House
from midrise.foundation.security.api_keys import ApiKeyTexts
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.api_keys.repository import PostgresApiKeys
from midrise.modules.identity.api_keys.service import ApiKeyCallers, ApiKeys
from midrise.modules.identity.proofs import Proofs
from midrise.modules.identity.roles.service import Roles
from midrise.modules.identity.users.repository import PostgresUsers


@dataclass(frozen=True, slots=True)
class Programs:
    """The services behind API keys."""

    api_keys: ApiKeys
    callers: ApiKeyCallers


def build_programs(house: House, *, users: PostgresUsers, roles: Roles, proofs: Proofs) -> Programs:
    keys, texts = PostgresApiKeys(), ApiKeyTexts(house.master)
    api_keys = ApiKeys(
        database=house.database,
        keys=keys,
        texts=texts,
        users=users,
        roles=roles,
        step_up=proofs.step_up,
        audit=house.services.get(AuditTrail),
    )
    return Programs(api_keys, ApiKeyCallers(database=house.database, keys=keys, texts=texts, roles=roles))
