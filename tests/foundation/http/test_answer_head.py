"""An answer that comes in one goes out in one piece; any other goes out as it comes."""

import pytest
from tests.foundation.http.middleware.asgi_calls import answer_ok

from midrise.foundation.http.middleware.request_context import RequestContext
from midrise.foundation.http.protocol import WHOLE_ANSWER

pytestmark = pytest.mark.anyio


class Line:
    """What a server was given to send: whole answers, and single messages."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.whole: list[tuple[int, bytes, bytes]] = []
        self.messages: list[dict] = []
        self._is_slow = is_slow

    def send_whole(self, status: int, lines: bytes, body: bytes) -> bool:
        if not self._is_slow:
            self.whole.append((status, lines, body))
        return not self._is_slow

    async def send(self, message) -> None:
        self.messages.append(message)

    async def ask(self, app) -> None:
        scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"x-request-id", b"r1")]}
        scope["extensions"] = {WHOLE_ANSWER: self.send_whole}
        await RequestContext(app)(scope, None, self.send)


def answering(*parts: bytes, status: int = 200, headers: tuple = ()):
    """An app that answers in so many parts, and says how long the first one is."""

    async def answer(scope, receive, send):
        length = [(b"content-length", b"%d" % len(parts[0]))] if parts[0] else []
        await send({"type": "http.response.start", "status": status, "headers": [*length, *headers]})
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return answer


@pytest.fixture
def line():
    return Line()


async def test_what_comes_in_one_goes_out_in_one_piece(line):
    await line.ask(answering(b"mug"))
    assert line.whole == [(200, b"content-length: 3\r\nx-request-id: r1\r\n", b"mug")]
    assert line.messages == []


@pytest.mark.parametrize("status", [204, 304])
async def test_so_does_what_has_no_body(line, status):
    await line.ask(answering(b"", status=status))
    assert line.whole == [(status, b"x-request-id: r1\r\n", b"")]


@pytest.mark.parametrize(
    "app",
    [
        answering(b"half", b"half"),
        answer_ok,  # which says no length
        answering(b"", headers=((b"content-length", b"3"),)),  # as to a HEAD
        answering(b"mug", headers=((b"connection", b"close"),)),
        answering(b"mug", headers=((b"X-Name", b"as the server may spell it"),)),
        answering(b"mug", headers=((b"x-name", b"a\r\nset-cookie: b"),)),
    ],
)
async def test_anything_else_goes_out_as_it_comes(line, app):
    await line.ask(app)
    assert line.whole == []
    start, *bodies = line.messages
    assert (b"x-request-id", b"r1") in start["headers"]
    assert {message["type"] for message in bodies} == {"http.response.body"}


async def test_a_slow_client_is_sent_each_answer_once():
    line = Line(is_slow=True)
    await line.ask(answering(b"mug"))
    assert [message["type"] for message in line.messages] == ["http.response.start", "http.response.body"]


async def test_before_the_first_part_of_the_body_something_else_may_be_answered(line):
    async def change_its_mind(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await answering(b"gone", status=410)(scope, receive, send)

    await line.ask(change_its_mind)
    assert [(status, body) for status, _, body in line.whole] == [(410, b"gone")]
