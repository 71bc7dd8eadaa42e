"""What the measured server could at best take: bare servers and bare clients, on the same core."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import bcrypt
import httpx
from calls import QUERY_BY_ID, QUERY_LIST
from house import HASH_COST, House
from redis.asyncio import Redis
from sqlalchemy import bindparam, select

from midrise.foundation.database import Statement
from midrise.modules.catalog.tables import products
from midrise.topology.binaries import find_nginx

AT_ONCE = 10
"""Connections of a bare client; as many as the API server has."""
GETS_AT_ONCE = 32
START_LIMIT_S = 20
HASHES = 50

BY_ID = Statement(select(products).where(products.c.id == bindparam("product_id")))
LIST = Statement(
    select(products)
    .where(products.c.status == bindparam("status"), products.c.price_amount >= bindparam("price_min"))
    .order_by(products.c.price_amount.desc(), products.c.id.desc())
    .limit(bindparam("limit"))
)
NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 1000000; default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen unix:{folder}/nginx.sock; root {folder}/files; }}
}}
"""


@contextmanager
def bare_server(folder: Path) -> Iterator[tuple[int, Path]]:
    """The app that answers at once. Gives its process and socket."""
    place = folder / "bare.sock"
    command = [sys.executable, str(Path(__file__).with_name("bare_app.py")), str(place)]
    with _running(command, place, "/200/2") as pid:
        yield pid, place


@contextmanager
def file_server(folder: Path, sizes: Sequence[int]) -> Iterator[tuple[int, Path]]:
    """nginx over files that are named for their size in bytes. Gives its process and socket."""
    (folder / "files").mkdir()
    for size in {1, *sizes}:
        (folder / "files" / str(size)).write_bytes(b"x" * size)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    folder.chmod(0o755)  # nginx's worker is nobody where root starts it
    place = folder / "nginx.sock"
    with _running([str(find_nginx()), "-p", str(folder), "-c", str(folder / "nginx.conf")], place, "/1") as pid:
        yield pid, place


async def query_cpu_us(house: House, *, product_ids: Sequence[str], seconds: float) -> dict[str, float]:
    """CPU of asyncpg and the event loop for one query, in microseconds: by id, and a list of twenty."""
    connections = [await asyncpg.connect(house.database_url) for _ in range(AT_ONCE)]
    free = iter(connections)
    keys = [UUID(text) for text in product_ids]
    try:
        by_id = await _cpu_us(
            lambda: _repeat(next(free), BY_ID.sql, lambda n: [keys[n % len(keys)]]), AT_ONCE, seconds
        )
        free = iter(connections)
        values = {"status": "active", "limit": 21}
        listed = await _cpu_us(
            lambda: _repeat(next(free), LIST.sql, lambda n: LIST.arguments(values | {"price_min": n})),
            AT_ONCE,
            seconds,
        )
    finally:
        for connection in connections:
            await connection.close()
    return {QUERY_BY_ID: by_id, QUERY_LIST: listed}


async def cache_get_cpu_us(house: House, *, value_bytes: int, seconds: float) -> float:
    """CPU of redis-py and the event loop for one GET, in microseconds."""
    client = Redis.from_url(house.cache_url)
    await client.set("bench", b"x" * value_bytes)

    def getting() -> Callable[[], Awaitable[object]]:
        return lambda: client.get("bench")

    try:
        return await _cpu_us(getting, GETS_AT_ONCE, seconds)
    finally:
        await client.delete("bench")
        await client.aclose()


def hash_cpu_us() -> float:
    """CPU of checking one password against its hash, in microseconds."""
    password = b"x" * 64
    stored = bcrypt.hashpw(password, bcrypt.gensalt(HASH_COST))
    before = time.thread_time()
    for _ in range(HASHES):
        bcrypt.checkpw(password, stored)
    return (time.thread_time() - before) / HASHES * 1e6


def _repeat(
    connection: asyncpg.Connection, sql: str, arguments: Callable[[int], list[object]]
) -> Callable[[], Awaitable[object]]:
    number = 0

    def query() -> Awaitable[object]:
        nonlocal number
        number += 1
        return connection.fetch(sql, *arguments(number))  # type: ignore[no-any-return]  # asyncpg is untyped

    return query


async def _cpu_us(make: Callable[[], Callable[[], Awaitable[object]]], at_once: int, seconds: float) -> float:
    """CPU of this process for one call, in microseconds, while so many run at once for a time."""
    done = 0
    deadline = 0.0

    async def run(call: Callable[[], Awaitable[object]]) -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            await call()
            done += 1

    asks = [make() for _ in range(at_once)]
    await asyncio.gather(*(ask() for ask in asks))  # statements are prepared, connections open
    deadline = time.perf_counter() + seconds
    before = time.process_time()
    await asyncio.gather(*(run(ask) for ask in asks))
    return (time.process_time() - before) / done * 1e6


@contextmanager
def _running(command: list[str], place: Path, path: str) -> Iterator[int]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            _wait_for(place, path)
            yield started.pid
        finally:
            started.terminate()
            started.wait(timeout=START_LIMIT_S)


def _wait_for(place: Path, path: str) -> None:
    limit = time.monotonic() + START_LIMIT_S
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(place))) as client:
        while True:
            try:
                client.get(f"http://bare{path}").raise_for_status()
            except httpx.TransportError:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.05)
            else:
                return
