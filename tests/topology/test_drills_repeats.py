"""What is sent twice and done once, when instances die at the worst moment and connections break."""

import json
import os
import random
import secrets
import select
import signal
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.topology.house import House, Load, raised, report, wait_for
from tests.topology.worst_moments import (
    HOLD_PRODUCTS,
    WAITING_BEFORE_COMMITS,
    dies_before_the_commit_is_done,
    dies_between_commit_and_answer,
    held,
    waiting_instance,
)

pytestmark = pytest.mark.drill

KILLS = 6
CONFIG = "/v1/config/registration.open"
RESET_AT_ONCE = struct.pack("ii", 1, 0)
LATEST_RESET_SECONDS = 0.1
DICE = random.Random(20261127)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with raised() as house:
        house.sql(WAITING_BEFORE_COMMITS)
        yield house


@pytest.fixture
def shop(house: House) -> Iterator[httpx.Client]:
    wait_for(lambda: house.status()["ready"])
    with house.administrator() as client:
        yield client


def tries(house: House, answer: httpx.Response) -> list[str]:
    """The status of each try in the gateway's log."""

    def logged() -> list[str]:
        lines = (house.home / "logs" / "gateway.log").read_text("utf-8").splitlines(keepends=True)
        whole = (json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n"))
        found = [line for line in whole if line.get("request_id") == answer.headers["x-request-id"]]
        return str(found[0]["upstream_status"]).split(", ") if found else []

    return list(wait_for(logged))


def make_product(shop: httpx.Client, **headers: str) -> httpx.Response:
    sku = secrets.token_hex(8)
    body = {"sku": sku, "name": sku, "price": {"amount": 1, "currency": "BDT"}}
    return shop.post("/v1/products", json=body, headers=headers)


def count(house: House, table: str, condition: str) -> int:
    return int(house.sql(f"SELECT count(*) FROM {table} WHERE {condition}"))


ENDS = {"after the commit": False, "while the commit is under way": True}


@pytest.mark.parametrize("while_under_way", ENDS.values(), ids=ENDS.keys())
def test_d10_a_delete_whose_instance_dies_is_answered_as_by_the_first(
    house: House, shop: httpx.Client, *, while_under_way: bool
) -> None:
    made = make_product(shop)
    path, product_id = made.headers["location"], made.json()["id"]

    def delete() -> httpx.Response:
        return shop.delete(path, headers={"If-Match": made.headers["etag"]})

    def is_gone() -> bool:
        return count(house, "products", f"id = '{product_id}'") == 0

    if while_under_way:
        answer = dies_before_the_commit_is_done(house, delete)
    else:
        answer = dies_between_commit_and_answer(house, delete, is_committed=is_gone)
    deletions = count(
        house, "audit_events", f"resource = 'product:{product_id}' AND action = 'product:deleted'"
    )
    report(f"DELETE: tries {tries(house, answer)}, answer {answer.status_code}, {deletions} deletion")
    assert (answer.status_code, deletions, len(tries(house, answer))) == (204, 1, 2), answer.text
    assert is_gone()
    wait_for(lambda: house.status()["ready"])
    assert delete().status_code == 404, "a client that deletes again is told so"


@pytest.mark.parametrize("while_under_way", ENDS.values(), ids=ENDS.keys())
def test_d10_a_put_whose_instance_dies_is_answered_as_by_the_first(
    house: House, shop: httpx.Client, *, while_under_way: bool
) -> None:
    before = shop.get(CONFIG)
    wanted = not before.json()["value"]

    def put() -> httpx.Response:
        return shop.put(CONFIG, json={"value": wanted}, headers={"If-Match": before.headers["etag"]})

    def is_put() -> bool:
        stored = house.sql("SELECT value FROM config_values WHERE key = 'registration.open'")
        return stored == json.dumps(wanted)

    if while_under_way:
        answer = dies_before_the_commit_is_done(house, put)
    else:
        answer = dies_between_commit_and_answer(house, put, is_committed=is_put)
    report(f"PUT: tries {tries(house, answer)}, answer {answer.status_code}")
    assert (answer.status_code, len(tries(house, answer))) == (200, 2), answer.text
    wait_for(lambda: house.status()["ready"])
    after = shop.get(CONFIG)
    assert (after.json()["value"], after.headers["etag"]) == (wanted, answer.headers["etag"])
    assert put().status_code == 412, "a client that puts again under the old condition is told so"


def test_d10_a_get_whose_instance_dies_is_answered_by_another(house: House, shop: httpx.Client) -> None:
    made = make_product(shop)
    with ThreadPoolExecutor(1) as client:
        with held(house, HOLD_PRODUCTS):
            asked = client.submit(shop.get, made.headers["location"])
            os.kill(house.process(waiting_instance(house, "relation"))["pid"], signal.SIGKILL)
        answer = asked.result()
    report(f"GET: tries {tries(house, answer)}, answer {answer.status_code}")
    assert (answer.status_code, len(tries(house, answer))) == (200, 2)
    assert answer.json() == made.json()


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_d10_a_post_or_patch_whose_instance_dies_is_502_and_never_sent_twice(
    house: House, shop: httpx.Client, method: str
) -> None:
    made = make_product(shop)
    sku = secrets.token_hex(8)
    path = "/v1/products" if method == "POST" else made.headers["location"]
    body = {"sku": sku, "name": sku, "price": {"amount": 1, "currency": "BDT"}}
    answer = dies_between_commit_and_answer(
        house,
        lambda: shop.request(method, path, json=body),
        is_committed=lambda: count(house, "products", f"sku = '{sku}'") == 1,
    )
    report(f"{method}: tries {tries(house, answer)}, answer {answer.status_code}")
    assert (answer.status_code, answer.json()["code"]) == (502, "bad_gateway")
    assert tries(house, answer) == ["502"]
    wait_for(lambda: house.status()["ready"])
    assert count(house, "products", f"sku = '{sku}'") == 1


def test_d9_a_retry_after_the_worst_moment_gets_the_answer_that_was_lost(
    house: House, shop: httpx.Client
) -> None:
    order = Order(house, shop)
    lost = dies_between_commit_and_answer(
        house, order.send, is_committed=lambda: count(house, "products", f"sku = '{order.sku}'") == 1
    )
    wait_for(lambda: house.status()["ready"])
    again = order.send()
    report(f"POST: answer {lost.status_code}, again {again.status_code}")
    assert (lost.status_code, again.status_code) == (502, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert house.sql(f"SELECT id FROM products WHERE sku = '{order.sku}'") == again.json()["id"]


def test_d9_retries_through_resets_and_kills_never_double_an_effect(house: House, shop: httpx.Client) -> None:
    """Each order is sent with one key until it has been answered twice, with resets between."""
    orders: list[Order] = []

    def carry_out() -> httpx.Response:
        order = Order(house, shop)
        orders.append(order)
        return order.carry_out()

    with Load(*[carry_out] * 4) as load:
        for number in range(KILLS):
            house.kill(f"api.{number % 2 + 1}")
    statuses = Counter(status for order in orders for status in order.statuses)
    rows = Counter(house.sql("SELECT sku FROM products").splitlines())
    doubled = [order.sku for order in orders if rows[order.sku] != 1]
    unlike = [order.sku for order in orders if len(order.answers) != 1]
    done_before = sum(order.was_done_before for order in orders)
    created = "action = 'product:created' AND resource = 'product:' || products.id"
    audited = count(house, f"products JOIN audit_events ON {created}", "true")
    report(
        f"{KILLS} kills, {len(orders)} orders, {sum(order.resets for order in orders)} resets, "
        f"{done_before} done by a request that was broken off, answers "
        f"{dict(statuses)}, {len(doubled)} not there once, {len(unlike)} answered in two ways"
    )
    assert load.failures == []
    assert done_before > 0
    assert (doubled, unlike) == ([], [])
    assert audited == sum(rows.values())
    assert statuses.keys() <= {201, 409, 502, 503}


class Order:
    """A product to be made once, however often it is asked for."""

    def __init__(self, house: House, shop: httpx.Client) -> None:
        self.sku = secrets.token_hex(8)
        self.statuses: list[int] = []
        self.answers: set[bytes] = set()
        self.resets = 0
        self.was_done_before = False
        self._house = house
        self._shop = shop
        self._body = json.dumps({"sku": self.sku, "name": self.sku, "price": {"amount": 1, "currency": "BDT"}})
        self._headers = {"Content-Type": "application/json", "Idempotency-Key": f"order-{self.sku}"}

    def send(self) -> httpx.Response:
        return self._shop.post("/v1/products", content=self._body, headers=self._headers)

    def carry_out(self) -> httpx.Response:
        """The answer, after it was given twice."""
        while True:
            self._send_and_reset()
            answer = self.send()
            self.statuses.append(answer.status_code)
            if answer.status_code == 201:
                self.was_done_before |= not self.answers and "idempotency-replayed" in answer.headers
                self.answers.add(answer.content)
            if self.statuses.count(201) == 2 or answer.status_code not in {201, 409, 502, 503}:
                return answer

    def _send_and_reset(self) -> None:
        """Ask, and break the connection off at any moment, at the latest when the answer is there."""
        headers = {**self._headers, "Authorization": self._shop.headers["Authorization"], "Host": "midrise"}
        head = "\r\n".join(f"{name}: {value}" for name, value in headers.items())
        text = f"POST /v1/products HTTP/1.1\r\n{head}\r\nContent-Length: {len(self._body)}\r\n\r\n{self._body}"
        with socket.create_connection(("127.0.0.1", self._house.port)) as connection:
            connection.sendall(text.encode())
            select.select([connection], [], [], DICE.uniform(0, LATEST_RESET_SECONDS))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self.resets += 1
