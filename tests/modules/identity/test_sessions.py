import httpx
import pytest

from tests.conftest import PASSWORD, log_in, register

pytestmark = pytest.mark.anyio


async def test_a_registered_person_logs_in_and_sees_itself(client: httpx.AsyncClient) -> None:
    email = await register(client, name="Rahima")
    token = await log_in(client, email)
    me = await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert me.status_code == 200
    assert me.json()["email"] == email
    assert me.json()["roles"] == ["customer"]
    assert me.headers["etag"] == '"1"'
    print(me.headers, me.text)
