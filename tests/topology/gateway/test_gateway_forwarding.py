"""What reaches the instances, and what comes back."""

import gzip
import json
import re

import httpx
import pytest

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def client(gateway):
    return gateway.http


def test_requests_are_spread_over_the_instances(gateway, client):
    for _ in range(40):
        client.get("/v1/products")

    assert all(len(instance.requests) > 5 for instance in gateway.instances)


def test_connections_to_instances_are_kept(start):
    gateway = start()
    with httpx.Client(base_url=gateway.url, trust_env=False) as client:
        for _ in range(50):
            client.post("/v1/products", json={})

    # Each of nginx's workers keeps its own.
    assert sum(instance.accepted for instance in gateway.instances) <= 8


def test_the_target_and_the_body_arrive_as_they_were_sent(gateway):
    target = "/v1//products/%2e%2e/a%2Fb/%E0%A6%9A?q=a%20b&x=%00&&"
    raw = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".encode()

    gateway.send(raw)

    [request] = [request for instance in gateway.instances for request in instance.requests]
    assert request.target == target
    assert request.body == b"abc"


def test_the_id_of_a_request_is_the_same_everywhere(client):
    answer = client.get("/v1/x", headers={"X-Request-ID": "A-b_c.1"})

    assert answer.headers.get_list("x-request-id") == ["A-b_c.1"]
    assert seen(answer)["x-request-id"] == ["A-b_c.1"]


@pytest.mark.parametrize("bad", ["", "a b", "x" * 129, "a,b", '"', "ä"])
def test_an_id_that_is_none_is_replaced(client, bad):
    answer = client.get("/v1/x", headers={"X-Request-ID": bad.encode()})

    [request_id] = answer.headers.get_list("x-request-id")
    assert re.fullmatch(r"[0-9a-f]{32}", request_id)
    assert seen(answer)["x-request-id"] == [request_id]


def test_two_ids_are_none(client):
    answer = client.get("/v1/x", headers=[("X-Request-ID", "a"), ("X-Request-ID", "b")])

    assert answer.headers["x-request-id"] not in {"a", "b"}


def test_a_trace_is_carried_on(client):
    assert seen(client.get("/v1/x", headers={"traceparent": TRACEPARENT}))["traceparent"] == [TRACEPARENT]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_private_id_of_a_request_is_nginx_s_own(client, method):
    name = "X-Midrise-Gateway-Request"
    forged = [(name, "forged"), (name.lower(), "forged"), (name.replace("-", "_"), "forged")]

    headers = seen(client.request(method, "/v1/x", headers=[*forged, ("X-Request-ID", "mine")]))

    [private] = headers[name.lower()]
    assert re.fullmatch(r"[0-9a-f]{32}", private)
    assert "forged" not in str(headers)


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X_Forwarded_For"])
def test_a_client_can_not_say_where_it_comes_from(client, name):
    for value in ("6.6.6.6", "6.6.6.6, 127.0.0.1", "for=6.6.6.6"):
        headers = seen(client.get("/v1/x", headers={name: value}))
        assert headers["x-forwarded-for"] == ["127.0.0.1"]
        assert "6.6.6.6" not in str(headers)


def test_a_client_can_not_say_how_it_came(client):
    headers = seen(
        client.get(
            "/v1/x", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil", "Host": "shop:81"}
        )
    )

    assert headers["x-forwarded-proto"] == ["http"]
    assert headers["host"] == ["shop:81"]
    assert "evil" not in str(headers)


def test_a_trusted_proxy_says_where_a_request_comes_from(start):
    gateway = start(trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
    sent = {
        "X-Forwarded-For": "6.6.6.6, 203.0.113.7, 10.1.2.3",
        "X-Forwarded-Proto": "https",
        "X-Request-ID": "p",
    }

    answer = gateway.http.get("/v1/x", headers=sent)

    assert seen(answer)["x-forwarded-for"] == ["203.0.113.7"]
    assert seen(answer)["x-forwarded-proto"] == ["https"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert gateway.line("p")["address"] == "203.0.113.7"


def test_a_proxy_that_is_not_trusted_is_the_client(start):
    gateway = start(trusted_proxies=("10.0.0.0/8",))
    sent = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}

    answer = gateway.http.get("/v1/x", headers=sent)

    assert seen(answer)["x-forwarded-for"] == ["127.0.0.1"]
    assert seen(answer)["x-forwarded-proto"] == ["http"]


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics/",
        "/%6detrics",
        "/x/../metrics",
        "//metrics",
        "/metrics?x",
        "/internal",
        "/internal/x",
    ],
)
def test_private_paths_are_never_passed_on(gateway, path):
    answer = gateway.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 404")
    assert not [request for instance in gateway.instances for request in instance.requests]


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/openapi.json", "/docs", "/errors/not_found", "/internals"]
)
def test_everything_else_is(client, path):
    assert client.get(path).status_code == 200


def test_headers_of_the_connection_end_at_the_gateway(gateway):
    gateway.send(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Accept-Encoding: br\r\nKeep-Alive: 1\r\n\r\n"
    )

    [request] = [request for instance in gateway.instances for request in instance.requests]
    assert {"connection", "upgrade", "keep-alive", "accept-encoding"}.isdisjoint(request.headers)


def test_nothing_says_which_programs_run(client):
    assert client.get("/v1/x").headers.get_list("server") == ["nginx"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/problem+json", "application/x-ndjson", "text/csv; charset=utf-8"],
)
def test_answers_are_compressed_and_their_tags_weakened(gateway, response, content_type):
    body = json.dumps({"items": ["tea"] * 1000}).encode()
    for instance in gateway.instances:
        instance.answer = lambda _: response(body, content_type=content_type, ETag='"3.1"')

    with gateway.http.stream("GET", "/v1/x", headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    plain = gateway.http.get("/v1/x", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["etag"] == 'W/"3.1"'
    assert gzip.decompress(raw) == body
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] == '"3.1"'
    assert "Accept-Encoding" in packed.headers["vary"]
    assert "Accept-Encoding" in plain.headers["vary"]


def test_a_head_says_as_well_that_the_answer_depends_on_the_coding(gateway, response):
    for instance in gateway.instances:
        instance.answer = lambda _: response(b"{}" * 1000, Vary="Origin")

    answer = gateway.http.head("/v1/x", headers={"Accept-Encoding": "gzip"})

    assert set(answer.headers["vary"].split(", ")) == {"Origin", "Accept-Encoding"}


def test_small_answers_are_not_compressed(gateway, client, response):
    for instance in gateway.instances:
        instance.answer = lambda _: response(b"{}" * 100, ETag='"3.1"')

    answer = client.get("/v1/x", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["etag"] == '"3.1"'
    assert "content-encoding" not in answer.headers


def test_a_match_header_passes_untouched(client):
    headers = seen(client.put("/v1/x", headers={"If-Match": 'W/"3.1"', "If-None-Match": '"a", W/"b"'}))

    assert headers["if-match"] == ['W/"3.1"']
    assert headers["if-none-match"] == ['"a", W/"b"']


def test_a_request_is_logged_once_and_without_its_query(gateway, client):
    headers = {"X-Request-ID": "logged", "Authorization": "Bearer canary1", "Cookie": "canary2"}
    client.post("/v1/products?token=canary3", json={"password": "canary4"}, headers=headers)

    line = gateway.line("logged")

    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/products", 200)
    assert line["upstream"] in {instance.name for instance in gateway.instances}
    assert line["upstream_status"] == "200"
    assert isinstance(line["duration_ms"], int)
    assert isinstance(line["upstream_ms"], int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line["timestamp"]))
    assert "canary" not in gateway.log.read_text()


def test_not_even_errors_say_the_query_in_the_log(start):
    gateway = start()
    gateway.instances[0].answer = lambda _: None
    gateway.instances[1].stop()
    gateway.instances[1].path.unlink()

    for method in ("GET", "POST", "PUT"):
        gateway.http.request(method, "/v1/x?token=canary", content=b"x" * 100_000)
    gateway.http.post("/v1/x?token=canary", content=b"x" * 2_000_000, headers={"X-Request-ID": "last"})

    assert gateway.line("last")["status"] == 413
    assert "canary" not in gateway.log.read_text()


def seen(answer):
    """The headers that reached the instance."""
    return answer.json()["headers"]
