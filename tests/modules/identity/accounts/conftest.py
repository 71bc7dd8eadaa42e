"""Those who look after accounts, with more and with fewer permissions."""

import pytest


@pytest.fixture
async def admin_id(admin):
    return (await admin.get("/v1/me")).json()["id"]


@pytest.fixture
async def keeper(admin, somebody):
    """Somebody who may see and change users, and nothing else."""
    # Over HTTP: what roles allow is remembered by every instance until somebody changes it there.
    role = {"name": "keeper", "permissions": ["users:read", "users:write"]}
    assert (await admin.post("/v1/roles", json=role)).status_code == 201
    return await somebody(roles=["keeper"])


@pytest.fixture
def audit_of(admin):
    """The entries on a user, newest first: ``await audit_of(user_id)``."""

    async def audit_of(user_id):
        answer = await admin.get("/v1/audit", params={"resource": f"user:{user_id}"})
        return answer.json()["items"]

    return audit_of
