"""What becomes of a request when an instance breaks off or is gone: some are repeated, POST and PATCH never."""

import json
import threading

import httpx
import pytest

READS = ["GET", "HEAD", "OPTIONS"]
REPEATABLE_WRITES = ["PUT", "DELETE"]
ONCE = ["POST", "PATCH"]
WRITES = REPEATABLE_WRITES + ONCE
PRIVATE_ID = "x-midrise-gateway-request"
BODY = b'{"name": "tea"}'


@pytest.fixture
def client(gateway):
    return gateway.http


def test_a_read_that_an_instance_breaks_off_is_answered_by_another(gateway, client):
    first, second = gateway.instances
    first.answer = lambda _: None

    for method in READS * 4:
        assert client.request(method, "/v1/products").status_code == 200
    assert len(second.requests) == len(READS) * 4


def test_a_read_whose_answer_can_not_be_read_is_answered_by_another(gateway, client):
    gateway.instances[0].answer = lambda _: b"HTTP/1.1 200 OK\r\n\0\r\n\r\n"

    for _ in range(4):
        assert client.get("/v1/products").status_code == 200


@pytest.mark.parametrize("method", READS)
def test_a_read_that_every_instance_breaks_off_may_be_repeated_soon(gateway, client, method):
    for instance in gateway.instances:
        instance.answer = lambda _: None

    answer = client.request(method, "/v1/products")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert method == "HEAD" or answer.json()["code"] == "unavailable"


@pytest.mark.parametrize("method", REPEATABLE_WRITES)
def test_a_put_or_delete_that_an_instance_breaks_off_is_sent_to_another_one_under_the_same_id(
    gateway, client, method
):
    first, second = gateway.instances
    first.answer = lambda _: None

    for number in range(6):
        answer = client.request(
            method,
            f"/v1/products/{number}",
            content=BODY,
            headers={PRIVATE_ID: "a client's", "If-Match": '"1"'},
        )
        assert answer.status_code == 200

    repeated = {request.target: request for request in first.requests}
    assert repeated
    for request in second.requests:
        assert (request.body, request.header("if-match")) == (BODY, '"1"')
        if request.target in repeated:
            assert request.header(PRIVATE_ID) == repeated[request.target].header(PRIVATE_ID)
    ids = [request.header(PRIVATE_ID) for request in second.requests]
    assert len(set(ids)) == 6, "another request, another id"
    assert "a client's" not in ids


@pytest.mark.parametrize("method", REPEATABLE_WRITES)
def test_a_put_or_delete_that_every_instance_breaks_off_is_502(gateway, client, method):
    for instance in gateway.instances:
        instance.answer = lambda _: None

    answer = client.request(method, "/v1/products/1", content=BODY)

    assert (answer.status_code, answer.json()["code"]) == (502, "bad_gateway")
    assert [len(instance.requests) for instance in gateway.instances] == [1, 1]


@pytest.mark.parametrize("method", REPEATABLE_WRITES)
def test_a_put_or_delete_that_the_only_instance_dies_of_is_502(start, method):
    gateway = start(count=1)
    [instance] = gateway.instances
    for _ in range(2):
        gateway.http.get("/warm")
    instance.answer = lambda _: instance.stop()

    assert gateway.http.request(method, "/v1/x", content=BODY).status_code == 502


@pytest.mark.parametrize("method", ONCE)
def test_a_post_or_patch_that_an_instance_breaks_off_is_never_sent_again(gateway, client, method):
    for instance in gateway.instances:
        instance.answer = lambda _: None

    for number in range(6):
        answer = client.request(method, f"/v1/products/{number}", content=BODY)
        assert answer.status_code == 502
        assert answer.json()["code"] == "bad_gateway"
        assert "retry-after" not in answer.headers

    targets = [request.target for instance in gateway.instances for request in instance.requests]
    assert sorted(targets) == [f"/v1/products/{number}" for number in range(6)]


@pytest.mark.parametrize("method", ONCE)
def test_a_post_or_patch_on_a_kept_connection_that_breaks_is_never_sent_again(
    gateway, client, method, response
):
    """nginx grants requests on kept connections another try; these must not get it."""
    for instance in gateway.instances:
        instance.answer = lambda request: None if request.target == "/break" else response()
    for _ in range(4):
        client.get("/warm")

    assert client.request(method, "/break", content=BODY).status_code == 502

    assert sum(instance.seen.count(f"{method} /break") for instance in gateway.instances) == 1


@pytest.mark.parametrize("method", ONCE)
def test_a_post_or_patch_whose_answer_breaks_off_in_its_head_is_never_sent_again(gateway, client, method):
    for instance in gateway.instances:
        instance.answer = lambda _: b"HTTP/1.1 201 Created\r\nX-Then: break"

    assert client.request(method, "/v1/x", content=BODY).status_code == 502

    assert sum(len(instance.requests) for instance in gateway.instances) == 1


@pytest.mark.parametrize("gone", ["dead", "socket missing"])
@pytest.mark.parametrize("method", READS + WRITES)
def test_an_instance_that_is_gone_is_not_noticed(start, method, gone):
    gateway = start()
    first, second = gateway.instances
    first.stop()
    if gone == "socket missing":
        first.path.unlink()

    with httpx.Client(base_url=gateway.url, trust_env=False) as client:
        for _ in range(6):
            answer = client.request(method, "/v1/products", content=BODY if method in WRITES else None)
            assert answer.status_code == 200

    assert len(second.requests) == 6
    assert all(request.method == method and request.target == "/v1/products" for request in second.requests)
    if method in WRITES:
        assert all(request.body == BODY for request in second.requests)


@pytest.mark.parametrize("method", WRITES)
def test_a_large_body_reaches_the_other_instance_whole(start, method):
    """nginx keeps it in a file, and reads that from the start again."""
    gateway = start()
    gateway.instances[0].stop()

    for _ in range(2):
        assert gateway.http.request(method, "/v1/x", content=b"0123456789" * 100_000).status_code == 200

    assert [len(request.body) for request in gateway.instances[1].requests] == [1_000_000] * 2
    assert all(request.body.endswith(b"0123456789") for request in gateway.instances[1].requests)


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(start):
    gateway = start()
    gateway.instances[0].stop()
    for path in (b"/v1/x", b"/v1/products/import"):
        with gateway.connect() as waiting:
            head = b"PUT " + path + b" HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
            waiting.sendall(head.replace(b"PUT /v1/products", b"POST /v1/products"))
            assert waiting.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            waiting.sendall(b"abc")
            assert b'"bytes": 3' in gateway.read(waiting)


def test_an_instance_that_dies_between_requests_loses_none(start):
    gateway = start()
    with httpx.Client(base_url=gateway.url, trust_env=False) as client:
        for _ in range(10):
            client.post("/warm", content=BODY)
        gateway.instances[0].stop()
        for _ in range(10):
            assert client.post("/v1/products", content=BODY).status_code == 200


@pytest.mark.parametrize("method", READS + WRITES)
def test_if_no_instance_can_be_reached_nothing_has_happened_and_the_client_may_come_again(start, method):
    gateway = start()
    for instance in gateway.instances:
        instance.stop()

    answer = gateway.http.request(method, "/v1/products")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    if method != "HEAD":
        assert answer.json()["code"] == "unavailable"


def test_a_single_instance_that_is_gone_gives_503(start):
    gateway = start(count=1)
    gateway.instances[0].stop()

    assert gateway.http.put("/v1/x", content=BODY).status_code == 503
    assert gateway.http.get("/v1/x").status_code == 503


def test_an_instance_that_comes_back_is_used_at_once(start):
    gateway = start(count=1)
    gateway.instances[0].stop()
    assert gateway.http.get("/v1/x").status_code == 503

    gateway.instances[0].start()

    assert gateway.http.get("/v1/x").status_code == 200


def test_one_of_three_that_is_gone_is_not_noticed_by_parallel_writes(start):
    gateway = start(count=3)
    gateway.instances[1].stop()
    statuses = []

    def write():
        with httpx.Client(base_url=gateway.url, trust_env=False) as client:
            statuses.extend(client.delete(f"/v1/x/{number}").status_code for number in range(20))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 160
    assert sum(len(instance.requests) for instance in gateway.instances) == 160


def test_an_import_goes_to_another_instance_only_if_the_first_was_not_reached(start):
    gateway = start()
    first, second = gateway.instances
    first.stop()
    for _ in range(4):
        assert gateway.http.post("/v1/products/import", content=BODY).status_code == 200
    assert [request.body for request in second.requests] == [BODY] * 4

    second.answer = lambda _: None
    first.start().answer = lambda _: None
    second.requests.clear()
    for _ in range(4):
        assert gateway.http.post("/v1/products/import", content=BODY).status_code == 502
    assert len(first.requests) + len(second.requests) == 4


def test_other_calls_on_the_path_of_imports_are_not_repeated_either(gateway, client):
    for instance in gateway.instances:
        instance.answer = lambda _: None

    for method in ("PUT", "DELETE", "PATCH"):
        assert client.request(method, "/v1/products/import").status_code == 502

    assert sum(len(instance.requests) for instance in gateway.instances) == 3


@pytest.mark.parametrize(
    "status", ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "404 X"]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_error_that_an_instance_answers_is_passed_on_untouched(gateway, client, response, method, status):
    problem = json.dumps({"code": "of_the_application"}).encode()
    for instance in gateway.instances:
        instance.answer = lambda _: response(
            problem, status=status, content_type="application/problem+json", Retry_After="7"
        )

    answer = client.request(method, "/v1/x")

    assert answer.status_code == int(status.split()[0])
    assert answer.content == problem
    assert answer.headers["retry-after"] == "7"
    assert answer.headers.get_list("content-type") == ["application/problem+json"]
    assert sum(len(instance.requests) for instance in gateway.instances) == 1


def test_the_log_names_each_try(gateway, client):
    gateway.instances[0].answer = lambda _: None
    gateway.instances[1].answer = lambda _: None

    answer = client.put("/v1/x", headers={"X-Request-ID": "tries"})

    assert answer.status_code == 502
    line = gateway.line("tries")
    assert str(line["upstream_status"]).startswith("502, 502")
