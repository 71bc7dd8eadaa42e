"""A request is the client's whose address it came from, and no client can say otherwise."""

import pytest
from tests.foundation.http.middleware.asgi_calls import answer_ok, call

from midrise.foundation.http.middleware.client_address import GATEWAY_REQUEST, ClientAddress, Proxies

pytestmark = pytest.mark.anyio

PROXIES = ["10.0.0.0/8", "192.0.2.1", "2001:db8:1::/48"]


async def address(*forwarded: str, peer: str | None, trusted=PROXIES) -> str:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    client = (peer, 4711) if peer is not None else None
    called = await call(ClientAddress(answer_ok, proxies=Proxies(trusted)), headers=headers, client=client)
    return called.scope["client"][0]


@pytest.mark.parametrize("forwarded", ["198.51.100.1", "10.0.0.1", "198.51.100.1, 10.0.0.2", "::1"])
async def test_a_stranger_can_not_say_who_it_is(forwarded):
    assert await address(forwarded, peer="203.0.113.7") == "203.0.113.7"


async def test_nobody_is_believed_by_default():
    assert await address("198.51.100.1", peer="127.0.0.1", trusted=[]) == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (["198.51.100.1"], "198.51.100.1"),
        (["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        (["198.51.100.1 ,10.0.0.2, 192.0.2.1"], "198.51.100.1"),
        (["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        (["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        (["2001:db8::7"], "2001:db8::7"),
        (["2001:0DB8:0000::0007"], "2001:db8::7"),
        (["::ffff:198.51.100.1"], "198.51.100.1"),
        (["198.51.100.1, 2001:db8:1::2"], "198.51.100.1"),
        ([], "10.0.0.1"),
        ([""], "10.0.0.1"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ],
    ids=str,
)
async def test_a_proxy_that_is_trusted_says_who_came_to_it(forwarded, client):
    assert await address(*forwarded, peer="10.0.0.1") == client


@pytest.mark.parametrize(
    "garbage",
    [
        *("unknown", "198.51.100.1:4711", "[2001:db8::7]", "[2001:db8::7]:443", "fe80::1%eth0", "1.2.3", "é"),
        *("198.51.100.256", "-", "; DROP", "198.51.100.1 evil", "0x7f.1", "3232235777"),
    ],
)
async def test_what_is_no_address_ends_the_chain(garbage):
    assert await address(garbage, peer="10.0.0.1") == "10.0.0.1"
    assert await address(f"198.51.100.9, {garbage}, 10.0.0.2", peer="10.0.0.1") == "10.0.0.2"


@pytest.mark.parametrize(("peer", "is_believed"), [("203.0.113.7", False), ("10.0.0.1", True), (None, True)])
async def test_only_a_gateway_can_number_requests(peer, is_believed):
    headers = [(b"accept", b"*/*"), (GATEWAY_REQUEST, b"f" * 32), (GATEWAY_REQUEST, b"e" * 32)]
    client = (peer, 4711) if peer else None
    called = await call(ClientAddress(answer_ok, proxies=Proxies(PROXIES)), headers=headers, client=client)
    assert called.scope["headers"] == (headers if is_believed else headers[:1])


async def test_a_proxy_that_is_seen_through_a_socket_of_both_protocols_is_the_same():
    assert await address("198.51.100.1", peer="::ffff:10.0.0.1") == "198.51.100.1"
    assert await address("198.51.100.1", peer="::ffff:203.0.113.7") == "203.0.113.7"


@pytest.mark.parametrize("peer", [None, ""])
async def test_behind_a_unix_socket_the_gateway_has_said_it(peer):
    assert await address("198.51.100.1", peer=peer, trusted=[]) == "198.51.100.1"
    assert await address("203.0.113.9, 198.51.100.1", peer=peer, trusted=[]) == "198.51.100.1"
    assert await address(peer=peer, trusted=[]) == ""
