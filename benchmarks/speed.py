"""What one request costs, beside what it would cost at best, in one run: `make bench`.

    make bench
    make bench BENCH=--quick
    python benchmarks/speed.py --profile FOLDER      # needs py-spy

It raises a Midrise of its own and leaves nothing behind but `benchmarks/results.json`. The API server has one
core to itself and the client another, where the machine lets processes be kept on cores. Bare and real take
turns in every round, so that what slows the machine slows both; medians over the rounds are shown, and what
they spread over.
"""

import argparse
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from calls import LIST, Goods, calls
from house import House, raised, register
from limits import bare_server, file_server
from measuring import FILE_SIZES, Bench
from processes import Cores
from report import Figures, Report
from rich.console import Console

RESULTS = Path(__file__).with_name("results.json")
ACCOUNTS = 16
PROFILE_S = 10
TABLE_COLUMNS = 132
HINT = """
To see where the time goes: pip install py-spy, then
python benchmarks/speed.py --profile FOLDER (a file of stacks for each call, for any viewer of flame graphs)."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    rounds: int
    seconds: float
    products: int


USUAL = Extent(rounds=7, seconds=0.7, products=100_000)
QUICK = Extent(rounds=3, seconds=0.25, products=20_000)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    arguments.add_argument("--only", default="", help="only calls whose name has this in it")
    arguments.add_argument("--profile", type=Path, help="record stacks of each call here instead; needs py-spy")
    given = arguments.parse_args()
    if given.profile and not shutil.which("py-spy"):
        sys.exit("py-spy is not on the PATH: pip install py-spy")
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_COLUMNS)
    extent, cores = QUICK if given.quick else USUAL, Cores()
    with tempfile.TemporaryDirectory(prefix="midrise-bench-") as name, raised() as house:
        folder = Path(name)
        goods = fill(house, extent.products)
        with bare_server(folder) as bare:
            bench = Bench(house, bare, cores=cores)
            if given.profile:
                record(bench, goods, given.profile, only=given.only)
            else:
                report = run(bench, goods, extent, folder=folder, only=given.only, console=console)
                report.write(RESULTS, calls(goods))
                console.print(f"\n{RESULTS} has every round.{HINT}", markup=False)
    if bench.unexpected:
        sys.exit(f"Answers of another status than awaited: {dict(bench.unexpected)}")


def run(bench: Bench, goods: Goods, extent: Extent, *, folder: Path, only: str, console: Console) -> Report:
    """Measure everything and show it."""
    report = Report({"cores": bench.cores.describe(), "extent": asdict(extent)})
    report.memory_mib = {f"at idle: {name}": size for name, size in bench.memory_mib().items()}
    every = calls(goods)
    wanted = [call for call in every if only in call.name]
    console.print(
        f"{extent.rounds} rounds, {extent.products:,} products, 32 connections; {bench.cores.describe()}"
    )
    bench.warm_up(wanted)
    with file_server(folder, FILE_SIZES) as files:
        for number in range(1, extent.rounds + 1):
            limits = bench.limits(goods, seconds=extent.seconds)
            named = limits_in_words(limits) | bench.serve_files(*files, seconds=extent.seconds)
            for name, value in named.items():
                report.limits.setdefault(name, []).append(value)
            for call in wanted:
                figures = report.figures.get(call.name) or Figures()
                if bench.measure(call, figures, seconds=extent.seconds):
                    report.figures[call.name] = figures
                    if call.target.query:
                        figures.query_cpu_us.append(limits[call.target.query])
            console.print(f"round {number} of {extent.rounds} is done", style="dim")
    report.memory_mib |= {
        f"of api.1 after load, {what}": size for what, size in bench.memory_of_api_mib().items()
    }
    report.show(wanted, console)
    return report


def record(bench: Bench, goods: Goods, folder: Path, *, only: str) -> None:
    """Profile the calls instead of measuring them: a profiler slows what it looks at."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [call for call in calls(goods) if only in call.name]
    bench.warm_up(wanted)
    for call in wanted:
        print(bench.profile(call, folder, seconds=PROFILE_S))


def limits_in_words(limits: dict[str, float]) -> dict[str, float]:
    return {
        "bare asyncpg, a product by id, CPU µs": limits["by id"],
        "bare asyncpg, a list of 20 by price, CPU µs": limits["list"],
        "bare redis-py, a GET of 1,000 bytes, CPU µs": limits["get"],
    }


def fill(house: House, products: int) -> Goods:
    """Make products and accounts, and log in."""
    house.midrise("seed", "--demo", str(products))
    emails = register(house, ACCOUNTS)
    ids = house.sql("SELECT id FROM products WHERE status = 'active' ORDER BY md5(id::text)")

    def list_tag() -> str | None:
        tag: str | None = httpx.get(f"{house.url}{LIST}", timeout=60).headers.get("etag")
        return tag

    return Goods(
        product_ids=[str(row[0]) for row in ids],
        emails=emails,
        token=house.token(emails[0]),
        administrator_token=house.token(),
        list_tag=list_tag,
    )


if __name__ == "__main__":
    main()
