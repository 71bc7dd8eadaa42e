"""What one request costs, beside what it would cost at best, in one run: `make bench`.

    make bench
    make bench BENCH=--quick
    make bench BENCH=--large                        # and beside one with 1,000,000 products, 100,000 users
    python benchmarks/speed.py --profile FOLDER     # needs py-spy

It raises a Midrise of its own and leaves nothing behind but `benchmarks/results.json`. The API server has one
core to itself and the client another, where the machine lets processes be kept on cores. Bare and real take
turns in every round, so that what slows the machine slows both; medians over the rounds are shown, and what
they spread over. How long anything took fails nothing; an answer of another status than awaited does.
"""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from calls import Call, Goods, calls
from filling import fill, fill_up
from hit_rate import hit_rates
from house import raised
from limits import bare_server, file_server
from measuring import FILE_SIZES, Bench
from processes import Cores
from report import Figures, Report
from rich.console import Console

RESULTS = Path(__file__).with_name("results.json")
PROFILE_S = 10
TABLE_COLUMNS = 132
HINT = """
To see where the time goes: pip install py-spy, then python benchmarks/speed.py --profile FOLDER
writes a file of stacks for each call, for any viewer of flame graphs."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured: rounds, and the seconds of each load in them."""

    rounds: int
    turns: int
    seconds: float
    hit_rate_seconds: float
    products: int
    large_products: int = 1_000_000
    large_users: int = 100_000


USUAL = Extent(rounds=7, turns=21, seconds=0.7, hit_rate_seconds=5, products=100_000)
QUICK = Extent(rounds=3, turns=15, seconds=0.25, hit_rate_seconds=2, products=20_000)


def main() -> None:
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped"))  # what was raised is lowered
    if given.profile and not shutil.which("py-spy"):
        sys.exit("py-spy is not on the PATH: pip install py-spy")
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_COLUMNS)
    extent, cores = QUICK if given.quick else USUAL, Cores()
    with tempfile.TemporaryDirectory(prefix="midrise-bench-") as name, raised() as house:
        folder = Path(name)
        with bare_server(folder) as bare:
            bench = Bench(house, bare, cores=cores)
            idle_mib = bench.memory_mib()
            goods = fill(house, extent.products)
            if given.profile:
                record(bench, goods, given.profile, only=given.only)
            else:
                report = Report({"cores": cores.describe(), "extent": asdict(extent)})
                report.memory_mib = {f"at idle: {name}": size for name, size in idle_mib.items()}
                run(bench, goods, extent, folder=folder, only=given.only, report=report, console=console)
                if given.large:
                    run_large(bench, report.calls, extent, bare=bare, report=report, console=console)
                report.show(console)
                report.write(RESULTS)
                console.print(f"\n{RESULTS} has every round.{HINT}", markup=False)
    if bench.unexpected:
        sys.exit(f"Answers of another status than awaited: {dict(bench.unexpected)}")


def run(
    bench: Bench, goods: Goods, extent: Extent, *, folder: Path, only: str, report: Report, console: Console
) -> None:
    """Measure calls, limits, hit rates and memory."""
    report.calls = [call for call in calls(goods) if only in call.name]
    console.print(
        f"{extent.rounds} rounds, {extent.products:,} products, 32 connections; {bench.cores.describe()}"
    )
    with file_server(folder, FILE_SIZES) as files:
        for name, value in bench.serve_files(*files, rounds=extent.rounds, seconds=extent.seconds).items():
            report.limits[name] = value
    measure(bench, goods, report.calls, extent, figures=report.figures, limits=report.limits, console=console)
    after = bench.memory_of_api_mib()
    report.memory_mib |= {f"of api.1 after load, {what}": size for what, size in after.items()}
    if not only:
        report.hit_rates = hit_rates(
            bench.house,
            goods.product_ids,
            token=goods.administrator_token,
            seconds=extent.hit_rate_seconds,
        )


def run_large(
    bench: Bench,
    wanted: Sequence[Call],
    extent: Extent,
    *,
    bare: tuple[int, Path],
    report: Report,
    console: Console,
) -> None:
    """Measure the calls in turns with those of another house, which has many more products and users."""
    console.print(f"Filling another with {extent.large_products:,} products and {extent.large_users:,} users")
    with raised() as house:
        crowded = Bench(house, bare, cores=bench.cores)
        more = extent.large_products - extent.products
        crowd = fill_up(house, fill(house, extent.products), products=more, users=extent.large_users)
        among_many = {call.name: call for call in calls(crowd)}
        pairs = [(call, among_many[call.name]) for call in wanted]
        bench.warm_up(wanted)
        crowded.warm_up([many for _, many in pairs])
        for number in range(1, extent.turns + 1):
            for few, many in pairs:
                pair = in_turns(
                    partial(bench.cpu_us, few, seconds=extent.seconds),
                    partial(crowded.cpu_us, many, seconds=extent.seconds),
                    starts_with_second=number % 2 == 0,
                )
                report.note_growth(few, pair)
            console.print(f"turn {number} of {extent.turns} is done", style="dim")
        bench.unexpected += crowded.unexpected


def in_turns(
    first: Callable[[], float | None], second: Callable[[], float | None], *, starts_with_second: bool
) -> tuple[float | None, float | None]:
    """What both tell, asked one after the other."""
    if starts_with_second:
        later = second()
        return first(), later
    return first(), second()


def measure(
    bench: Bench,
    goods: Goods,
    wanted: Sequence[Call],
    extent: Extent,
    *,
    figures: dict[str, Figures],
    limits: dict[str, list[float]],
    console: Console,
) -> None:
    """Every call in every round, in turns with what it is held against."""
    bench.warm_up(wanted)
    for number in range(1, extent.rounds + 1):
        bare = bench.bare_clients(goods, seconds=extent.seconds)
        for name, cpu_us in bare.items():
            limits.setdefault(f"bare {name}, CPU µs", []).append(cpu_us)
        for call in wanted:
            entry = figures.get(call.name) or Figures()
            if bench.measure(call, entry, seconds=extent.seconds):
                figures[call.name] = entry
                if call.target.query:
                    entry.query_cpu_us.append(bare[call.target.query])
        console.print(f"round {number} of {extent.rounds} is done", style="dim")


def record(bench: Bench, goods: Goods, folder: Path, *, only: str) -> None:
    """Profile the calls instead of measuring them: a profiler slows what it looks at."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [call for call in calls(goods) if only in call.name]
    bench.warm_up(wanted)
    for call in wanted:
        print(bench.profile(call, folder, seconds=PROFILE_S))


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    arguments.add_argument(
        "--large", action="store_true", help="also beside 1,000,000 products and 100,000 users"
    )
    arguments.add_argument("--only", default="", help="only calls whose name has this in it")
    arguments.add_argument("--profile", type=Path, help="record stacks of each call here instead; needs py-spy")
    return arguments.parse_args()


if __name__ == "__main__":
    main()
