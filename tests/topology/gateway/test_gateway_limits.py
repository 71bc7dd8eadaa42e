"""Large, slow and devious clients."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

MIB = 1024 * 1024
CHUNKED = b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"

SMUGGLING = {
    "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 40\r\n\r\n",
    "a length with a sign": b"Content-Length: +0\r\n\r\n",
    "a length in hex": b"Content-Length: 0x0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a coding behind a tab": b"Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a folded coding": b"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a coding behind a bare CR": b"X: y\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a chunk with a sign": b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "a chunk without end": b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
    "a chunk in the clouds": b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n\r\n",
}
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nX-Padding: yyyyyyyyyyyyyyyyyyyyy\r\n\r\n"


def test_a_body_of_one_mebibyte_and_a_little_more_is_for_the_application_to_judge(gateway):
    for size in (MIB, MIB + 1):
        assert gateway.http.post("/v1/x", content=b"x" * size).json()["bytes"] == size


def test_more_is_refused(gateway):
    size = MIB + 65 * 1024

    for body in (b"x" * size, iter([b"x" * MIB, b"x" * 65 * 1024])):
        answer = gateway.http.post("/v1/x", content=body)
        assert answer.status_code == 413
        assert answer.json()["code"] == "payload_too_large"


def test_imports_may_be_larger(gateway):
    for body in (b"x" * 5 * MIB, iter([b"x" * 3 * MIB, b"x" * 2 * MIB])):
        assert gateway.http.post("/v1/products/import", content=body).json()["bytes"] == 5 * MIB


def test_even_imports_end_somewhere(gateway):
    raw = f"POST /v1/products/import HTTP/1.1\r\nHost: x\r\nContent-Length: {256 * MIB + 1}\r\n\r\n".encode()

    assert gateway.send(raw).startswith(b"HTTP/1.1 413")


def test_other_calls_may_not_be_as_large_as_imports(gateway):
    for path in ("/v1/products", "/v1/products/import/", "/v1/products/import/x", "/V1/products/import"):
        assert gateway.http.post(f"{path}", content=b"x" * 2 * MIB).status_code == 413


def test_a_slow_body_does_not_keep_an_instance_waiting(start):
    gateway = start(count=1)
    [instance] = gateway.instances
    with gateway.connect() as slow:
        slow.sendall(b"POST /v1/x HTTP/1.1\r\n" + CHUNKED + b"3\r\nabc\r\n")
        for _ in range(20):
            gateway.http.get("/v1/y")
        assert "POST /v1/x" not in instance.seen
        accepted = instance.accepted

        slow.sendall(b"0\r\n\r\n")

        assert b'"bytes": 3' in gateway.read(slow)
        assert instance.accepted <= accepted + 1


def test_an_import_arrives_while_it_is_being_sent(start):
    gateway = start(count=1)
    [instance] = gateway.instances
    with gateway.connect() as slow:
        slow.sendall(b"POST /v1/products/import HTTP/1.1\r\n" + CHUNKED + b"3\r\nabc\r\n")

        gateway.wait_for(lambda: instance.accepted)
        slow.sendall(b"0\r\n\r\n")
        assert b'"bytes": 3' in gateway.read(slow)


def test_one_address_has_only_so_many_requests_at_a_time(start):
    gateway = start(count=1, requests_at_once_per_address=2)
    arrived, go = threading.Semaphore(0), threading.Event()
    usual = gateway.instances[0].answer

    def wait(request):
        arrived.release()
        go.wait(10)
        return usual(request)

    gateway.instances[0].answer = wait
    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(gateway.http.get, "/slow") for _ in range(2)]
        assert all(arrived.acquire(timeout=10) for _ in slow)

        refused = [gateway.http.request(method, "/v1/x") for method in ("GET", "PUT")]
        private = gateway.http.get("/metrics")
        go.set()

        assert [each.result().status_code for each in slow] == [200, 200]
    for answer in refused:
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "2"
        assert answer.json()["code"] == "rate_limited"
    assert private.status_code in {404, 429}


@pytest.mark.parametrize("case", SMUGGLING)
@pytest.mark.parametrize("path", ["/v1/x", "/v1/products/import"])
def test_no_request_can_be_hidden_in_another(gateway, path, case):
    raw = f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + SMUGGLING[case]

    answer = gateway.send(raw + SMUGGLED)

    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert not [seen for instance in gateway.instances for seen in instance.seen if "smuggled" in seen]


def test_a_client_that_goes_away_in_the_middle_leaves_nothing_behind(gateway):
    for _ in range(50):
        with gateway.connect() as leaving, contextlib.suppress(OSError):
            leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            leaving.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc")

    assert gateway.http.get("/v1/y").status_code == 200
    assert not [seen for instance in gateway.instances for seen in instance.seen if seen.startswith("POST")]


@pytest.mark.drill
def test_a_connection_that_idled_still_takes_a_post(gateway):
    """Promise O3: around 5 s, where many servers close idle connections, and 60 s, where many proxies do."""

    def post_after(idle_seconds: float) -> int:
        with httpx.Client(base_url=gateway.url, timeout=30, trust_env=False) as client:
            client.post("/v1/x", content=b"1")
            time.sleep(idle_seconds)
            return client.post("/v1/x", content=b"2").status_code

    pauses = [4.9, 5.1, 59.9, 60.1, 74.5]
    with ThreadPoolExecutor(len(pauses)) as pool:
        assert list(pool.map(post_after, pauses)) == [200] * len(pauses)


@pytest.mark.drill
def test_a_client_that_is_too_slow_is_let_go(gateway):
    def sent_slowly(raw: bytes) -> bytes:
        with gateway.connect() as slow:
            slow.settimeout(60)
            slow.sendall(raw)
            return gateway.read(slow)

    headers = b"GET / HTTP/1.1\r\nHost: x\r\nX-Never: en"
    body = b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(sent_slowly, [headers, body])) == [b"", b""]
