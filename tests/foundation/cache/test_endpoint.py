"""The URL of the cache: what is understood, and what is refused without showing a password."""

import pytest

from midrise.foundation.cache.endpoint import CacheEndpoint, CacheUrlRefused


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("unix:///run/valkey.sock", CacheEndpoint(socket_path="/run/valkey.sock")),
        (
            "unix://:pw@/run/a%20b.sock?db=3",
            CacheEndpoint(socket_path="/run/a b.sock", database=3, password="pw"),
        ),
        ("redis://cache", CacheEndpoint(addresses=(("cache", 6379),))),
        ("redis://cache:6380/2", CacheEndpoint(addresses=(("cache", 6380),), database=2)),
        ("redis://[::1]:6380", CacheEndpoint(addresses=(("::1", 6380),))),
        (
            "redis://user:p%40ss%2Fword@cache/1",
            CacheEndpoint(addresses=(("cache", 6379),), database=1, username="user", password="p@ss/word"),
        ),
        (
            "rediss://cache?ca_file=/etc/ca.pem",
            CacheEndpoint(addresses=(("cache", 6379),), tls=True, ca_file="/etc/ca.pem"),
        ),
        (
            "redis+sentinel://:pw@one:26379,two,[::1]:5/main/4?sentinel_password=other",
            CacheEndpoint(
                addresses=(("one", 26379), ("two", 26379), ("::1", 5)),
                service_name="main",
                database=4,
                password="pw",
                sentinel_password="other",
            ),
        ),
        (
            "rediss+sentinel://one/main",
            CacheEndpoint(addresses=(("one", 26379),), service_name="main", tls=True),
        ),
    ],
)
def test_every_form_is_understood(url, endpoint):
    assert CacheEndpoint.parse(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cache:6379",
        "http://cache",
        "memcached://cache",
        "redis://",
        "redis://one,two",
        "redis://cache:port",
        "redis://cache:99999",
        "redis://cache/first",
        "redis://cache/0/1",
        "redis://:hunter2@cache?timeout=1",
        "redis://:hunter2@one:two:three",
        "unix://run/valkey.sock",
        "unix://",
        "unix:///run/valkey.sock?db=x",
        "redis+sentinel://one:1,two:2",
        "redis+sentinel://one:1,,two:2/main",
        "redis://[::1",
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence_without_the_password(url):
    with pytest.raises(CacheUrlRefused) as refused:
        CacheEndpoint.parse(url)
    assert "hunter2" not in str(refused.value)
    assert str(refused.value).startswith("The cache's URL")


def test_passwords_never_show():
    endpoint = CacheEndpoint.parse("redis+sentinel://user:hunter2@one/main?sentinel_password=hunter3")
    assert "hunter" not in repr(endpoint)
    assert str(endpoint) == "one:26379/main"
