"""`midrise seed`: fills the catalogue from a file, or with made-up products."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from midrise.cli.process import settings_of_command

MOST_DEMO_PRODUCTS = 10_000_000
DISK_FULL = "53100"
"""PostgreSQL's code for it (appendix A of its manual)."""

File = Annotated[
    Path | None,
    typer.Argument(
        help="Products as NDJSON: a line is the body of POST /v1/products, with stock_on_hand if there is "
        "stock; - reads standard input.",
        show_default=False,
    ),
]
Demo = Annotated[
    int | None,
    typer.Option(
        help="Store this many made-up products instead.", min=1, max=MOST_DEMO_PRODUCTS, show_default=False
    ),
]
RandomSeed = Annotated[
    int, typer.Option(help="Made-up products are the same for the same number, others for another.")
]
SkipExisting = Annotated[
    bool,
    typer.Option("--skip-existing", help="Pass over products whose sku or slug is taken, instead of refusing."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def seed(
    file: File = None,
    demo: Demo = None,
    random_seed: RandomSeed = 1,
    skip_existing: SkipExisting = False,  # noqa: FBT002  Typer calls by name
    as_json: AsJson = False,  # noqa: FBT002  the same
) -> None:
    """Fill the catalogue with the products of a file, or with made-up ones.

    All in one transaction: what can't be stored leaves nothing behind.

    Needs MIDRISE_DATABASE_URL, or `midrise up` on the same MIDRISE_HOME.
    """
    if (file is None) == (demo is None):
        raise typer.BadParameter("give either a file or --demo")
    settings = settings_of_command()

    from midrise.cli.seeding import fill_catalogue, open_demo, open_file, running_database_url

    started = time.monotonic()
    with _refusing(demo=file is None):
        url = running_database_url(settings)
        opened = open_file(file) if file else open_demo(demo or 0, random_seed=random_seed)
        with opened as source, _progress(source.total) as advance:
            filling = fill_catalogue(url, source, skip_existing=skip_existing, on_progress=advance)
            seeded = asyncio.run(filling)
    seconds = time.monotonic() - started
    if as_json:
        facts = {"created": seeded.created, "skipped": seeded.skipped, "seconds": round(seconds, 3)}
        typer.echo(json.dumps(facts))
    else:
        passed_over = f" {seeded.skipped:,} were taken and passed over." if seeded.skipped else ""
        typer.echo(f"Stored {seeded.created:,} products in {seconds:.1f} s.{passed_over}")


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while the block runs, where a person sees it."""
    console = Console(stderr=True)
    columns = (TextColumn("Storing products"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield partial(progress.advance, progress.add_task("", total=total))


@contextmanager
def _refusing(*, demo: bool) -> Iterator[None]:
    """One sentence on standard error and exit code 1 for what stands against the run."""
    from midrise.foundation.database import OutcomeUnknown
    from midrise.foundation.errors import Unavailable
    from midrise.modules.catalog import ProductTaken, SeedRefused
    from midrise.topology.errors import Refused

    try:
        yield
    except ProductTaken as taken:
        if demo:
            _end("These made-up products are stored already: give another --random-seed, or --skip-existing.")
        _end(f"{taken} With --skip-existing such products are passed over.")
    except (SeedRefused, Refused) as refused:
        _end(str(refused))
    except OutcomeUnknown:
        _end("The connection broke during the commit: look whether the products are there.")
    except Unavailable as unavailable:
        if getattr(unavailable.__cause__, "sqlstate", None) == DISK_FULL:
            _end("The disk of the database is full: free some space, then try again; nothing was stored.")
        _end("The database does not answer, or holds a lock for too long; nothing was stored.")


def _end(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
