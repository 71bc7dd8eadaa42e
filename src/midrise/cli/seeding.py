"""What `midrise seed` works with: where products come from, and where they go."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from midrise.foundation.actor import SYSTEM
from midrise.foundation.database import Database, PoolSettings
from midrise.modules.catalog import Seeded, SeedProduct, catalogue_seeding, demo_products, read_products
from midrise.settings import Settings
from midrise.topology.embedded import running_url
from midrise.topology.errors import Refused
from midrise.topology.state import StateFolder

LONGEST_STATEMENT_SECONDS = 3600.0
"""No request waits for this command; a slow pipe or a large table may make it slow."""

STANDARD_INPUT = Path("-")
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """Where products come from; ``total`` is None where nobody can tell how many there are."""

    name: str
    products: Iterable[SeedProduct]
    total: int | None


@contextmanager
def open_file(path: Path) -> Iterator[Source]:
    """The products of a file, or of standard input for ``-``. Raises `Refused` where it can't be read."""
    if path == STANDARD_INPUT:
        yield Source("standard input", read_products(sys.stdin.buffer), total=None)
        return
    try:
        file = path.open("rb")
        total = sum(chunk.count(b"\n") for chunk in iter(partial(file.read, CHUNK_BYTES), b""))
        file.seek(0)
    except OSError as trouble:
        raise Refused(f"{path} can't be read: {trouble.strerror}.") from None
    with file:
        yield Source(path.name, read_products(file), total=total)


@contextmanager
def open_demo(count: int, *, random_seed: int) -> Iterator[Source]:
    """That many made-up products."""
    name = f"demo, random seed {random_seed}"
    yield Source(name, demo_products(count, random_seed=random_seed), total=count)


def running_database_url(settings: Settings) -> str:
    """The database of the settings, else the embedded one that runs on the same home.

    Raises `Refused` where there is neither.
    """
    if settings.database.url is not None:
        return settings.database.url.get_secret_value()
    state = StateFolder(settings.home.absolute())
    if not state.is_locked():
        raise Refused("There is no database: set MIDRISE_DATABASE_URL, or start one with `midrise up`.")
    return running_url(state)


async def fill_catalogue(
    database_url: str, source: Source, *, skip_existing: bool, on_progress: Callable[[int], None]
) -> Seeded:
    """Store the products of a source: all of them, or none.

    Raises `SeedRefused` with the reason, and `Unavailable` where the database is away.
    """
    settings = PoolSettings(
        database_url,
        "midrise seed",
        largest_size=1,
        statement_timeout_seconds=LONGEST_STATEMENT_SECONDS,
    )
    database = Database.on_one_server(settings)
    try:
        return await catalogue_seeding(database).seed(
            source.products,
            actor=SYSTEM,
            source=source.name,
            skip_existing=skip_existing,
            on_progress=on_progress,
        )
    finally:
        await database.close()
