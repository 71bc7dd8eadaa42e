"""Every call under /v1 is admitted once, under the name by which the framework will find it."""

from uuid import UUID

import msgspec
import pytest
from tests.foundation.http.middleware.asgi_calls import answer_ok, call

from midrise.foundation.actor import Actor
from midrise.foundation.admission import Admitted, LimitName, OverLimit, RateVerdict
from midrise.foundation.admission.session import Caller
from midrise.foundation.errors import Unauthenticated, Unavailable
from midrise.foundation.http.middleware.admission_gate import AdmissionGate

pytestmark = pytest.mark.anyio

LIMITS = {"/v1/auth/login": LimitName.AUTH_LOGIN}
SOMEBODY = Caller(UUID(int=1), UUID(int=2), ("manager",), frozenset({"products:write"}))
VERDICT = RateVerdict(
    LimitName.DEFAULT,
    quota=600,
    window_seconds=60,
    allowed=True,
    remaining=599,
    reset_seconds=1,
    retry_after_seconds=0,
)


class Doorkeeper:
    """An admission that decides as it was told, and remembers what it was asked."""

    def __init__(self, decision: Admitted | Exception | None = None) -> None:
        self.decision = decision or Admitted()
        self.asked: list[dict] = []

    async def admit(self, **question: object) -> Admitted:
        self.asked.append({name: value for name, value in question.items() if name != "generations"})
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision


async def through(door, path="/v1/things", *, headers=(), app=answer_ok):
    return await call(AdmissionGate(app, admission=door, limits=LIMITS), path, headers=headers)


async def test_a_caller_is_the_actor():
    headers = [(b"user-agent", b"curl/8"), (b"authorization", b"Bearer token")]
    state = (await through(Doorkeeper(Admitted(caller=SOMEBODY)), headers=headers)).scope["state"]
    assert state["actor"] == Actor(
        address="203.0.113.7",
        request_id="r1",
        user_agent="curl/8",
        user_id=UUID(int=1),
        session_id=UUID(int=2),
        roles=("manager",),
        permissions=frozenset({"products:write"}),
    )
    assert state["rejection"] is None


async def test_a_visitor_is_an_actor_without_an_id():
    state = (await through(Doorkeeper())).scope["state"]
    assert state["actor"] == Actor(address="203.0.113.7", request_id="r1")


async def test_a_wrong_credential_is_left_to_the_operation():
    rejection = Unauthenticated()
    called = await through(Doorkeeper(Admitted(rejection=rejection)))
    assert called.body == b"ok"
    assert called.scope["state"]["rejection"] is rejection
    assert called.scope["state"]["actor"].user_id is None


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        (b"Bearer abc", "abc"),
        (b"bearer  abc ", "abc"),
        (b"Bearer", ""),
        (b"Bearer ", ""),
        (b"Basic abc", ""),
        (b"abc", ""),
    ],
)
async def test_the_token_is_what_follows_bearer(header, token):
    door = Doorkeeper()
    await through(door, headers=[(b"authorization", header)] if header else [])
    assert door.asked == [{"token": token, "address": "203.0.113.7", "limit": LimitName.DEFAULT}]


async def test_a_path_has_its_own_limit():
    door = Doorkeeper()
    await through(door, "/v1/auth/login")
    assert door.asked[0]["limit"] is LimitName.AUTH_LOGIN


@pytest.mark.parametrize("path", ["/livez", "/", "/v1", "/v10/things", "/docs/v1/things"])
async def test_what_is_not_under_v1_is_open(path):
    door = Doorkeeper()
    called = await through(door, path)
    assert door.asked == []
    assert called.scope["state"]["actor"].user_id is None


async def test_without_an_admission_everybody_is_a_visitor():
    called = await through(None)
    assert called.scope["state"]["actor"].user_id is None


async def test_an_answer_says_what_is_left():
    headers = (await through(Doorkeeper(Admitted(rate=VERDICT)))).headers
    assert headers["ratelimit-policy"] == '"default";q=600;w=60'
    assert headers["ratelimit"] == '"default";r=599;t=1'


async def test_without_a_limit_it_says_nothing():
    assert "ratelimit" not in (await through(Doorkeeper())).headers


async def test_over_the_limit_is_429_and_never_gets_through():
    async def never(scope, receive, send):
        pytest.fail("the framework is not entered")

    verdict = msgspec.structs.replace(
        VERDICT, limit=LimitName.AUTH_LOGIN, allowed=False, remaining=0, reset_seconds=60, retry_after_seconds=7
    )
    called = await through(Doorkeeper(OverLimit(verdict, "address")), app=never)
    assert called.status == 429
    assert called.headers["retry-after"] == "7"
    assert called.headers["ratelimit"] == '"auth.login";r=0;t=60'
    assert b'"code":"rate_limited"' in called.body


async def test_what_can_not_be_known_is_not_let_through():
    with pytest.raises(Unavailable):
        await through(Doorkeeper(Unavailable()))


async def test_what_a_client_says_of_itself_is_cut_and_can_be_stored():
    headers = [(b"user-agent", b"a\0" + b"b" * 1000)]
    actor = (await through(Doorkeeper(), headers=headers)).scope["state"]["actor"]
    assert "\0" not in actor.user_agent
    assert 290 < len(actor.user_agent) <= 300
