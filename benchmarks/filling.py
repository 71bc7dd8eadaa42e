"""Fills the benchmark's house: products, accounts, and what the calls have to ask for first."""

import time

import httpx
from calls import LIST, Goods
from house import House, register

ACCOUNTS = 16
MOST_IDS = 200_000
OTHER_RANDOM_SEED = 2
CATCH_UP_LIMIT_S = 120

# Every column that is not named is the template's, so that a column more changes nothing here.
CROWD = """\
INSERT INTO users SELECT copy.*
FROM users AS template, generate_series(1, {count}) AS number,
    format('crowd-%s@midrise.test', number) AS address,
    jsonb_build_object('id', gen_random_uuid(), 'email', address, 'email_key', address) AS own,
    jsonb_populate_record(template, own) AS copy
WHERE template.email = '{template}'"""
CROWD_ROLES = """\
INSERT INTO user_roles (user_id, role_name)
SELECT id, 'customer' FROM users WHERE email LIKE 'crowd-%' ON CONFLICT DO NOTHING"""
REPLAYED = """\
SELECT coalesce(bool_and(replay_lsn >= pg_current_wal_lsn()), true) AS done FROM pg_stat_replication"""


def fill(house: House, products: int) -> Goods:
    """Make products and accounts, and log in."""
    house.midrise("seed", "--demo", str(products))
    return _goods(house, emails=register(house, ACCOUNTS))


def fill_up(house: House, goods: Goods, *, products: int, users: int) -> Goods:
    """Make that many more."""
    house.midrise("seed", "--demo", str(products), "--random-seed", str(OTHER_RANDOM_SEED))
    house.sql(CROWD.format(count=users, template=goods.emails[0]))
    house.sql(CROWD_ROLES)
    step = users // ACCOUNTS
    return _goods(house, emails=[f"crowd-{step * number}@midrise.test" for number in range(1, ACCOUNTS + 1)])


def _goods(house: House, *, emails: list[str]) -> Goods:
    _settle(house)
    ids = house.sql(f"SELECT id FROM products WHERE status = 'active' ORDER BY md5(id::text) LIMIT {MOST_IDS}")  # noqa: S608  a number of ours

    def list_tag() -> str | None:
        tag: str | None = httpx.get(f"{house.url}{LIST}", timeout=60).headers.get("etag")
        return tag

    return Goods(
        product_ids=[str(row["id"]) for row in ids],
        emails=emails,
        token=house.token(emails[0]),
        administrator_token=house.token(),
        list_tag=list_tag,
    )


def _settle(house: House) -> None:
    """Have done now what PostgreSQL would otherwise do while it is measured."""
    for table in ("products", "users", "user_roles", "audit_events"):
        house.sql(f"VACUUM (ANALYZE) {table}")
    house.sql("ANALYZE")
    limit = time.monotonic() + CATCH_UP_LIMIT_S
    while not house.sql(REPLAYED)[0]["done"]:
        if time.monotonic() > limit:
            raise RuntimeError("The replica did not catch up")
        time.sleep(0.1)
