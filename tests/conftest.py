"""What every test can ask for: servers, an application on them, and clients of it.

The servers are started once for a test run by the process that steers it, and shared by the workers of
pytest-xdist. Each worker has a database of its own, copied from a template that was migrated once; its tables
are emptied before every test that uses it. Nothing here can reach any other database.
"""

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from midrise.app import create_administrator, create_application
from midrise.foundation.http.lifespan import LivingApp
from midrise.foundation.security.secrets import MasterSecret
from midrise.settings import Settings, load
from tests.documented import AnswerCheck
from tests.servers import SOCKETS, emptying, make_database, test_servers
from tests.serving import WholeAnswers

PASSWORD = "three green boats at dawn"
ADMIN_EMAIL = "admin@midrise.test"

_running = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if not is_worker and not config.option.collectonly:
        _running.enter_context(test_servers())


def pytest_unconfigure() -> None:
    _running.close()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def sockets() -> Path:
    return Path(os.environ[SOCKETS])


@pytest.fixture(scope="session")
def worker_number() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def worker_database_url(sockets: Path, worker_number: int) -> str:
    return make_database(sockets, f"midrise_test_{worker_number}")


@pytest.fixture(scope="session")
def shared_valkey_url(sockets: Path, worker_number: int) -> str:
    """A numbered database of the shared Valkey, the worker's own."""
    return f"unix://{sockets / 'valkey.sock'}?db={worker_number}"


@pytest.fixture(scope="session")
def master_secret() -> str:
    return MasterSecret.generate().text


@pytest.fixture(scope="session")
def settings(worker_database_url: str, shared_valkey_url: str, master_secret: str) -> Settings:
    return load(
        {
            "MIDRISE_DATABASE_URL": worker_database_url,
            "MIDRISE_REDIS_URL": shared_valkey_url,
            "MIDRISE_MASTER_SECRET": master_secret,
            "MIDRISE_PASSWORD_COST": "4",
            "MIDRISE_RATE_LIMIT": "off",
            "MIDRISE_CORS_ORIGINS": "https://shop.example",
        },
        toml=Path(os.devnull),
    )


@pytest.fixture(scope="session")
async def emptier(worker_database_url: str, anyio_backend: object) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(worker_database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def database_url(
    worker_database_url: str, emptier: asyncpg.Connection, flush_cache: Callable[[], Awaitable[None]]
) -> str:
    """The worker's database, emptied, and its part of the cache."""
    await emptier.execute(emptying())
    await flush_cache()
    return worker_database_url


@pytest.fixture
async def flush_cache(shared_valkey_url: str) -> Callable[[], Awaitable[None]]:
    """Empties the worker's part of the cache: for whoever has changed rows behind the back of all services."""

    async def flush() -> None:
        async with Redis.from_url(shared_valkey_url) as cache:
            await cache.flushdb()

    return flush


@pytest.fixture(scope="session")
async def application(settings: Settings, anyio_backend: object) -> AsyncIterator[LivingApp]:
    """The application of this worker, in this process."""
    app = create_application(settings, process="tests")
    await app.start()
    yield app
    await app.stop()


@pytest.fixture
async def client(application: LivingApp, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A visitor's client of the application, on an empty database."""
    async with client_of(application) as visitor:
        yield visitor


@pytest.fixture
async def start_application(
    settings: Settings, database_url: str
) -> AsyncIterator[Callable[..., Awaitable[httpx.AsyncClient]]]:
    """Starts further applications, each with settings of its own: ``await start_application(cors={…})``."""
    async with AsyncExitStack() as stack:

        async def start(**sections: object) -> httpx.AsyncClient:
            changed = Settings.model_validate(settings.model_dump() | sections)
            app = create_application(changed, process="tests")
            await app.start()
            stack.push_async_callback(app.stop)
            return await stack.enter_async_context(client_of(app))

        yield start


@pytest.fixture
async def admin(
    application: LivingApp, settings: Settings, client: httpx.AsyncClient
) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose caller is an administrator."""
    await create_administrator(settings, email=ADMIN_EMAIL, name="Admin", password=PASSWORD, if_none=False)
    async with client_of(application, token=await log_in(client, ADMIN_EMAIL)) as known:
        yield known


@pytest.fixture
async def customer(application: LivingApp, client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose caller registered just now."""
    email = await register(client)
    async with client_of(application, token=await log_in(client, email)) as known:
        yield known


def client_of(
    app: LivingApp,
    *,
    token: str | None = None,
    address: str | None = "127.0.0.1",
    takes_whole_answers: bool = True,
) -> httpx.AsyncClient:
    """A client at the address; without one it is the gateway, behind a Unix socket.

    ``takes_whole_answers`` is what Midrise's own server does, and others don't.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    peer = None if address is None else (address, 123)
    served = WholeAnswers(app) if takes_whole_answers else app
    transport = httpx.ASGITransport(app=served, raise_app_exceptions=False, client=peer)
    hooks = {"response": [AnswerCheck(app)]}
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers, event_hooks=hooks)


async def register(client: httpx.AsyncClient, *, email: str | None = None, name: str = "Rahima Khatun") -> str:
    """Register somebody; the address."""
    email = email or f"{secrets.token_hex(8)}@midrise.test"
    answer = await client.post("/v1/auth/register", json={"email": email, "password": PASSWORD, "name": name})
    assert answer.status_code == 201, answer.text
    return email


async def log_in(client: httpx.AsyncClient, email: str) -> str:
    """Log in; the access token."""
    answer = await client.post("/v1/auth/login", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])
