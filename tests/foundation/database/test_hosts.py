"""URLs of several hosts are taken apart as libpq understands them."""

import pytest

from midrise.foundation.database.hosts import each_host


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        (
            "postgresql://me:pw@one:5432,two:5433,[::1]:5434/shop?sslmode=verify-full",
            [
                "postgresql://me:pw@one:5432/shop?sslmode=verify-full",
                "postgresql://me:pw@two:5433/shop?sslmode=verify-full",
                "postgresql://me:pw@[::1]:5434/shop?sslmode=verify-full",
            ],
        ),
        (
            "postgresql://me@/shop?host=/run/a,/run/b&port=5432,5433",
            [
                "postgresql://me@/shop?host=/run/a&port=5432",
                "postgresql://me@/shop?host=/run/b&port=5433",
            ],
        ),
        (
            "postgresql://me@/shop?host=one,two&port=6000&application_name=a%20b",
            [
                "postgresql://me@/shop?application_name=a%20b&host=one&port=6000",
                "postgresql://me@/shop?application_name=a%20b&host=two&port=6000",
            ],
        ),
        ("postgresql://me:p%40w@one/shop", ["postgresql://me:p%40w@one/shop"]),
        ("postgresql:///shop", ["postgresql:///shop"]),
        (
            "postgresql://one,two/shop?target_session_attrs=primary",
            ["postgresql://one/shop", "postgresql://two/shop"],
        ),
    ],
)
def test_each_host_gets_a_url_of_its_own(url, hosts):
    assert each_host(url) == hosts


def test_ports_that_do_not_fit_the_hosts_are_refused():
    with pytest.raises(ValueError, match="one port, or as many ports as hosts"):
        each_host("postgresql://me@/shop?host=a,b,c&port=1,2")
