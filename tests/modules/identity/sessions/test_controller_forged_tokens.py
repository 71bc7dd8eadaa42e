"""Forged access tokens get nothing over HTTP, and cost the database nothing (R7)."""

import pytest
from tests.foundation.security.forger import Forger

from midrise.app import assemble
from midrise.foundation.security.signing_keys import KeyState, generate_signing_key

pytestmark = pytest.mark.anyio

CUT_OFF = {"trailing newline", "leading space"}
"""What no header can carry: white space around its value belongs to HTTP (RFC 9110, section 5.5)."""


def forged(forger):
    return {fault: token for fault, token in forger.forgeries().items() if fault not in CUT_OFF}


@pytest.fixture
async def forger(settings, client):
    """Knows the very key that the application signs with."""
    assembly = assemble(settings, process="tests")
    for part in assembly.built:
        for start in part.start:
            await start()
    keys = assembly.house.key_ring.keys.keys
    await assembly.close()
    (current,) = (key for key in keys if key.state is KeyState.CURRENT)
    return Forger(current, issuer=settings.token.issuer, audience=settings.token.audience)


def credential(token):
    return {"Authorization": f"Bearer {token}".encode("utf-8", "surrogatepass")}


def test_there_are_sixty_at_least():
    forger = Forger(generate_signing_key(KeyState.CURRENT), issuer="midrise", audience="midrise")
    assert len(forged(forger)) >= 60


@pytest.mark.parametrize("path", ["/v1/me", "/v1/products"])
async def test_none_is_let_in_and_none_causes_a_query(client, forger, asked, path):
    # The instance knows by now which keys there are.
    await client.get(path, headers=credential(forger.good()))
    asked.clear()
    causing_queries = []
    for fault, token in forged(forger).items():
        answer = await client.get(path, headers=credential(token))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), fault
        assert answer.headers["www-authenticate"].startswith('Bearer realm="midrise"'), fault
        if asked:
            causing_queries.append(fault)
            asked.clear()
    # Where the cache may not be used, as on a machine that is too busy to ask in time whether it may, a key
    # that nobody knows is looked for once in ten seconds.
    assert len(causing_queries) <= 1
    assert (await client.get("/v1/products")).status_code == 200
    assert asked, "what is counted here would be seen"


async def test_one_that_is_right_but_for_its_session_is_not_let_in_either(client, forger):
    answer = await client.get("/v1/me", headers=credential(forger.good()))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_one_that_names_a_session_and_another_user_is_not_let_in(client, forger, somebody, connection):
    thief, owner = await somebody(), await somebody()
    session_id = await connection.fetchval("SELECT id FROM sessions WHERE user_id = $1", thief.id)
    own = credential(forger.with_claims(sub=thief.id, sid=str(session_id)))
    assert (await client.get("/v1/me", headers=own)).status_code == 200
    other = credential(forger.with_claims(sub=owner.id, sid=str(session_id)))
    assert (await client.get("/v1/me", headers=other)).status_code == 401
