"""What the gateway answers itself has the one error format, whatever was sent."""

import json
import re

import pytest

from midrise.foundation.localization import negotiate

HOST = b"Host: example.org\r\n"

REFUSED = {
    "a line that is no request": (b"GARBAGE\r\n\r\n", 400, "bad_request"),
    "bytes that are no text": (b"\x00\x01\x02\xff\r\n\r\n", 400, "bad_request"),
    "a TLS handshake": (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 80 + b"\r\n\r\n",
        400,
        "bad_request",
    ),
    "a method in small letters": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_request"),
    "a space in the path": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_request"),
    "a path out of the root": (b"GET /../x HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_request"),
    "NUL in the path": (b"GET /%00 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_request"),
    "raw UTF-8 in the path": ("GET /চা HTTP/1.1\r\n".encode() + HOST + b"\r\n", 400, "bad_request"),
    "raw bytes in the query": (b"GET /?q=\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_request"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "two hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, "bad_request"),
    "a host that is none": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad_request"),
    "a length that is no number": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n",
        400,
        "bad_request",
    ),
    "a private path": (b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not_found"),
    "the error pages": (b"GET /.midrise/errors/500 HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not_found"),
    "TRACE": (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405, "method_not_allowed"),
    "CONNECT": (b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405, "method_not_allowed"),
    "an unknown method": (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", 405, "method_not_allowed"),
    "a body that is too long": (
        b"POST /v1/products HTTP/1.1\r\n" + HOST + b"Content-Length: 1200000\r\n\r\n",
        413,
        "payload_too_large",
    ),
    "an address that is too long": (
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        414,
        "uri_too_long",
    ),
    "a header that is too long": (
        b"GET /v1/me HTTP/1.1\r\n" + HOST + b"Authorization: " + b"a" * 9000 + b"\r\n\r\n",
        431,
        "headers_too_large",
    ),
    "too many headers": (
        b"GET /v1/me HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 10_000 + b"\r\n",
        431,
        "headers_too_large",
    ),
    "an unknown transfer coding": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        501,
        "not_implemented",
    ),
    "HTTP/3 in clear": (b"GET / HTTP/3.0\r\n" + HOST + b"\r\n", 505, "http_version_not_supported"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_request_is_answered_in_the_one_format(gateway, case):
    raw, status, code = REFUSED[case]

    answer = Answer(gateway.send(raw))

    assert answer.status == status
    assert answer.problem["code"] == code
    assert all(not instance.requests for instance in gateway.instances)


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_request_is_logged_once_under_its_id(gateway, case):
    raw, status, _ = REFUSED[case]

    answer = Answer(gateway.send(raw))

    line = gateway.line(answer.problem["request_id"])
    assert (line["status"], line["process"], line["address"]) == (status, "gateway", "127.0.0.1")


@pytest.mark.parametrize(
    ("target", "instance"),
    [
        (b"/metrics/a%20b;c=1?token=secret", "/metrics/a%20b;c=1"),
        (b'/metrics/"},"code":"mine', "/metrics/"),
        (b"/metrics/a\\u0000b", "/metrics/a"),
        (b"/metrics/<script>", "/metrics/"),
        (b"/metrics/{x}|^`", "/metrics/"),
        (b"/metrics/" + b"a" * 2000, "/metrics/" + "a" * 992),
        (b"http://example.org/metrics?x", "/metrics"),
        (b"/metrics/\xff", "/metrics/"),
        (b"/metrics/$request_id", "/metrics/$request_id"),
    ],
)
def test_no_path_can_break_the_body(gateway, target, instance):
    answer = Answer(gateway.send(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"))

    assert answer.problem["instance"] == instance
    assert answer.problem["code"] in {"not_found", "bad_request"}


def test_an_id_of_the_client_is_kept(gateway):
    raw = b"TRACE /x HTTP/1.1\r\n" + HOST + b"X-Request-ID: mine.1\r\n\r\n"

    assert Answer(gateway.send(raw)).problem["request_id"] == "mine.1"


def test_an_id_that_is_none_is_replaced(gateway):
    for bad in (b'a"b', b"a b", b"x" * 129, b"\xff", b"a\\", b""):
        raw = b"TRACE /x HTTP/1.1\r\n" + HOST + b"X-Request-ID: " + bad + b"\r\n\r\n"
        assert re.fullmatch(r"[0-9a-f]{32}", Answer(gateway.send(raw)).problem["request_id"])


def test_the_answers_are_as_safe_as_those_of_the_application(gateway):
    headers = gateway.http.get("/metrics").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["server"] == "nginx"
    assert "strict-transport-security" not in headers


def test_a_refused_method_says_which_are_allowed(gateway):
    answer = gateway.http.request("BREW", "/v1/products")

    assert answer.headers["allow"] == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def test_head_gets_the_headers_alone(gateway):
    answer = gateway.http.head("/metrics")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.content == b""


def test_pages_of_allowed_origins_may_read_the_errors(start):
    gateway = start(cors_origins=("https://shop.example",))

    allowed = gateway.http.get("/metrics", headers={"Origin": "https://shop.example"})
    foreign = gateway.http.get("/metrics", headers={"Origin": "https://other.example"})

    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert "X-Request-ID" in allowed.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in foreign.headers
    assert "access-control-expose-headers" not in foreign.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_without_an_instance_every_call_is_told_to_come_back(start, method):
    gateway = start(count=0)

    for path in ("/", "/livez", "/v1/products/import"):
        answer = gateway.http.request(method, f"{path}", headers={"X-Request-ID": "r1"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert answer.headers["x-request-id"] == "r1"
        if method != "HEAD":
            assert answer.json()["code"] == "unavailable"
            assert answer.json()["instance"] == path


@pytest.mark.parametrize(
    "accept_language",
    [
        "",
        "bn",
        "BN-bd",
        "en",
        "fr",
        "fr, bn;q=0.1",
        "bn-BD,bn;q=0.9,en-US;q=0.8,en;q=0.7",
        "en-US,en;q=0.9,bn;q=0.8",
        "en;q=0.5, bn;q=0.8",
        "en;q=0.8, bn;q=0.5",
        "en;q=0.5, bn",
        "bn;q=0.5, en",
        "bn, en",
        "en, bn",
        "bn;q=0.7, en;q=0.7",
        "*",
        "*, bn",
        "bn, *",
        "*;q=0.1, bn;q=0.5",
        "bn;q=0",
        "bn;q=0.000, fr",
        "bn ; q=1.0",
        "bnx, xbn, bn_BD",
        "en-bn",
        ";;;,,,q=1",
    ],
)
def test_the_gateway_speaks_the_language_that_the_application_would(gateway, accept_language):
    answer = gateway.http.get("/metrics", headers={"Accept-Language": accept_language})

    expected = negotiate(accept_language)
    assert answer.headers["content-language"] == expected
    assert (answer.json()["title"] == "পাওয়া যায়নি") == (expected == "bn")


class Answer:
    """A raw answer of the gateway, and what every one of its errors must have."""

    def __init__(self, raw: bytes) -> None:
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        self.problem = json.loads(body)
        assert self.only("Content-Type") == "application/problem+json"
        assert self.only("X-Request-ID") == self.problem["request_id"]
        assert self.only("X-Content-Type-Options") == "nosniff"
        assert self.problem["status"] == self.status
        assert self.problem["type"] == f"/errors/{self.problem['code']}"
        assert self.problem["title"]
        assert self.problem["detail"]
        assert self.problem["instance"].startswith("/")

    def only(self, name: str) -> str:
        values = [value for each, value in self.headers if each.lower() == name.lower()]
        assert len(values) == 1, f"{name}: {values}"
        return values[0]
