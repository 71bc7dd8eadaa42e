"""Makes API keys and calls with them."""

from tests.modules.identity.conftest import bearer

KEYS = "/v1/auth/api-keys"
ME, PERMISSIONS, USERS = "/v1/me", "/v1/me/permissions", "/v1/users"


async def made(person, *permissions, **more):
    """A key of the person's, as it is shown once."""
    body = {"name": "Import", "permissions": list(permissions)} | more
    answer = await person.client.post(KEYS, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def headers_of(key):
    return bearer(key["key"])


async def permissions_of(client, key):
    answer = await client.get(PERMISSIONS, headers=headers_of(key))
    assert answer.status_code == 200, answer.text
    return answer.json()["permissions"]


async def statuses(key, *clients, path=ME):
    return {(await client.get(path, headers=headers_of(key))).status_code for client in clients}
