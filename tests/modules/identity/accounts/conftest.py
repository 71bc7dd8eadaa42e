"""Those who look after accounts, with more and with fewer permissions."""

import pytest


@pytest.fixture
async def admin_id(admin):
    return (await admin.get("/v1/me")).json()["id"]


@pytest.fixture
async def keeper(somebody, connection):
    """Somebody who may see and change users, and nothing else."""
    await connection.execute("INSERT INTO roles VALUES ('keeper', '', false, 1, now(), now())")
    await connection.execute(
        "INSERT INTO role_permissions VALUES ('keeper', 'users:read'), ('keeper', 'users:write')"
    )
    return await somebody(roles=["keeper"])


@pytest.fixture
def audit_of(admin):
    """The entries on a user, newest first: ``await audit_of(user_id)``."""

    async def audit_of(user_id):
        answer = await admin.get("/v1/audit", params={"resource": f"user:{user_id}"})
        return answer.json()["items"]

    return audit_of
