"""What is remembered is answered in one step exactly as the layers would answer it one by one."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.conftest import ADMIN_EMAIL, log_in, register
from tests.foundation.waiting import until
from tests.serving import WholeAnswers

from midrise.foundation.http.lifespan import LivingApp
from midrise.foundation.observability import logs

pytestmark = pytest.mark.anyio

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

HEADERS: dict[str, list[tuple[str, str]]] = {
    "none": [],
    "a request id": [("X-Request-ID", "r42")],
    "no request id": [("X-Request-ID", "two words")],
    "a trace": [("traceparent", TRACE)],
    "no trace": [("traceparent", "00-4bf9")],
    "an origin that may": [("Origin", "https://shop.example")],
    "another origin": [("Origin", "https://evil.example")],
    "an ETag": [("If-None-Match", "{etag}")],
    "a weak ETag": [("If-None-Match", "W/{etag}")],
    "any ETag": [("If-None-Match", "*")],
    "some ETags": [("If-None-Match", '"1", {etag}')],
    "another ETag": [("If-None-Match", '"nothing"')],
    "no ETag": [("If-None-Match", "nothing")],
    "a long ETag": [("If-None-Match", "x" * 1001)],
    "a Consistency-Token": [("Consistency-Token", "{token}")],
    "no Consistency-Token": [("Consistency-Token", "nonsense")],
    "an empty Consistency-Token": [("Consistency-Token", "")],
    "a forged token": [("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")],
    "no token": [("Authorization", "Basic cm9vdDpyb290")],
    "a header twice": [("X-Request-ID", "r1"), ("X-Request-ID", "r2")],
    "a body": [("Content-Length", "3")],
    "too much of a body": [("Content-Length", "99999999999")],
    "somebody else's address": [("X-Forwarded-For", "203.0.113.9, 198.51.100.7")],
    "a wide user agent": [("User-Agent", "\xff" * 400)],
}
PATHS = (
    "/v1/products",
    "/v1/products?limit=1&sort=name",
    "/v1/products?limit=nothing",
    "/v1/products?unknown=1",
    "/v1/products/{id}",
    "/v1/products/{id}/",
    "//v1/products/{id}",
    "/v1/products/by-slug/{slug}",
    "/v1/products/by-slug/",
    "/v1/products/01a22111-e5fa-751a-bbbd-ced2b120bcd3",
    "/v1/config",
    "/v1/me",
    "/v1/users/{user}",
)
MADE_FOR_EACH = re.compile(rb'"request_id":"[0-9a-f]{32}"')


class BothWays:
    """A caller, answered in one step where that can be, and by the layers one by one."""

    def __init__(self, app: LivingApp, token: str | None) -> None:
        self.quick_app = WholeAnswers(app)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.quickly, self.by_layers = self._client(self.quick_app), self._client(app)

    async def ask(self, path: str, headers: list[tuple[str, str]]) -> tuple[object, object]:
        """What there is to tell of either answer."""
        both = []
        for client in (self.quickly, self.by_layers):
            request = client.build_request("GET", path)
            own = {name.lower() for name, _ in headers}
            request.headers = httpx.Headers(
                [pair for pair in request.headers.multi_items() if pair[0] not in own]
                + [(name, value.encode("latin-1")) for name, value in headers]
            )
            with capture_logs(processors=[logs.name_request]) as lines:
                answer = await client.send(request)
            both.append(told(answer, lines))
        return both[0], both[1]

    def _client(self, app: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=app, client=None)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=self._headers)


def told(answer: httpx.Response, lines: list[Any]) -> object:
    """All that two answers to the same request have in common, and what was logged of them."""
    headers = {
        name: re.sub("r=[0-9]+", "r", value)
        for name, value in answer.headers.items()
        if name != "consistency-token"
    }
    if re.fullmatch("[0-9a-f]{32}", headers["x-request-id"]):
        del headers["x-request-id"]
    logged = [{name: value for name, value in line.items() if name != "duration_ms"} for line in lines]
    for line in logged:
        if re.fullmatch("[0-9a-f]{32}", line["request_id"]):
            del line["request_id"]
    body = MADE_FOR_EACH.sub(b"", answer.content)
    return answer.status_code, sorted(headers), headers, body, logged


@pytest.mark.parametrize("who", ["a visitor", "a customer", "an administrator", "a program"])
async def test_every_answer_is_the_same_either_way(application, client, admin, product, who):
    user = (await admin.get("/v1/me")).json()
    tokens = {
        "a visitor": None,
        "a customer": await log_in(client, await register(client)),
        "an administrator": await log_in(client, ADMIN_EMAIL),
        "a program": await an_api_key(admin),
    }
    caller = BothWays(application, tokens[who])
    answered_quickly = 0
    for template in PATHS:
        path = template.format(id=product["id"], slug=product["slug"], user=user["id"])
        kept = await remembered(caller, path)
        for name, headers in HEADERS.items():
            shown = {"etag": kept.headers.get("etag", "-"), "token": kept.headers.get("consistency-token", "-")}
            before = caller.quick_app.answered_in_one_step
            quickly, by_layers = await caller.ask(
                path, [(name, value.format(**shown) if "{" in value else value) for name, value in headers]
            )
            assert quickly == by_layers, f"{path} with {name}"
            answered_quickly += caller.quick_app.answered_in_one_step - before
    # Most of what is remembered is answered so: else this test would compare the layers with themselves.
    assert answered_quickly > 3 * len(HEADERS)


async def test_who_is_being_disabled_is_let_in_until_the_commit_and_is_known_no_longer_then(
    application, client, admin, held_commits
):
    me = BothWays(application, await log_in(client, await register(client)))
    user = (await remembered(me, "/v1/me")).json()
    async with held_commits() as waits:
        disabling = asyncio.create_task(admin.patch(f"/v1/users/{user['id']}", json={"is_active": False}))
        await until(waits)
        before = me.quick_app.answered_in_one_step
        during = [(await me.quickly.get("/v1/me")).status_code for _ in range(5)]
        # Nothing of what was read meanwhile may be remembered, not even who the caller is.
        assert (during, me.quick_app.answered_in_one_step) == ([200] * 5, before)
    assert (await disabling).status_code == 200
    assert (await me.quickly.get("/v1/me")).status_code == 401


async def remembered(caller: BothWays, path: str) -> httpx.Response:
    """Ask until the answer is remembered, if it is one that ever is."""
    answers = [await caller.quickly.get(path)]

    async def is_quick() -> bool:
        before = caller.quick_app.answered_in_one_step
        answers.append(await caller.quickly.get(path))
        return answers[-1].status_code != 200 or caller.quick_app.answered_in_one_step > before

    # Spelt otherwise it is the same call, which the layers find out.
    if "//" not in path and not path.endswith("/"):
        await until(is_quick)
    return answers[-1]


async def an_api_key(admin: httpx.AsyncClient) -> str:
    made = await admin.post("/v1/auth/api-keys", json={"name": "Till", "permissions": ["users:read"]})
    return str(made.json()["key"])
