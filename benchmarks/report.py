"""What was measured: a table for people, JSON for programs."""

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from calls import Call
from rich.console import Console
from rich.table import Table

MOST_GROWTH = 0.1


@dataclass(slots=True)
class Figures:
    """One call over several rounds, an entry a round: CPU in microseconds a request, times in milliseconds."""

    bare_cpu_us: list[float] = field(default_factory=list)
    api_cpu_us: list[float] = field(default_factory=list)
    query_cpu_us: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    bare_per_second: list[float] = field(default_factory=list)
    gateway_api_cpu_us: list[float] = field(default_factory=list)
    gateway_cpu_us: list[float] = field(default_factory=list)
    gateway_per_second: list[float] = field(default_factory=list)
    gateway_p50_ms: list[float] = field(default_factory=list)
    gateway_p99_ms: list[float] = field(default_factory=list)
    body_bytes: list[int] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """To the bare answer of the same round, so that what slows both is not counted."""
        return [api / bare for api, bare in zip(self.api_cpu_us, self.bare_cpu_us, strict=True)]

    def at_most(self, call: Call) -> float:
        """What the call may cost, in bare answers."""
        target = call.target
        if not self.query_cpu_us:
            return target.bare_answers
        return target.bare_answers + target.queries * statistics.median(self.query_cpu_us) / statistics.median(
            self.bare_cpu_us
        )


@dataclass(slots=True)
class Report:
    """All of one run. ``growth`` is, if asked for, what each call costs among few products and users and among
    many, in microseconds, a pair a turn."""

    conditions: dict[str, object]
    calls: list[Call] = field(default_factory=list)
    figures: dict[str, Figures] = field(default_factory=dict)
    growth: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    limits: dict[str, list[float]] = field(default_factory=dict)
    memory_mib: dict[str, float] = field(default_factory=dict)
    hit_rates: dict[str, float | None] = field(default_factory=dict)

    def note_growth(self, call: Call, pair: tuple[float | None, float | None]) -> None:
        """A turn of one call, among few and among many."""
        few, many = pair
        if few is not None and many is not None:
            self.growth.setdefault(call.name, []).append((few, many))

    def write(self, path: Path) -> None:
        """As JSON, with every round of every figure."""
        facts = {"machine": platform.machine(), "python": platform.python_version()} | self.conditions
        whole = {
            "conditions": facts,
            "calls": self._rows(self.figures),
            "cpu_us_among_few_and_many": self.growth,
            "limits": self.limits,
            "memory_mib": self.memory_mib,
            "hit_rates": self.hit_rates,
        }
        path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")

    def show(self, console: Console) -> None:
        """The tables."""
        console.print(_cpu_table(self))
        console.print(_speed_table(self))
        if self.growth:
            console.print(_growth_table(self))
        console.print(_limits_table(self))

    def _rows(self, figures: dict[str, Figures]) -> dict[str, dict[str, object]]:
        rows = {}
        for call in self.calls:
            if call.name in figures:
                entry = figures[call.name]
                ratio, at_most = statistics.median(entry.ratios), entry.at_most(call)
                judged = {"ratio": ratio, "at_most": at_most, "met": ratio <= at_most}
                rows[call.name] = asdict(entry) | judged
        return rows


def _cpu_table(report: Report) -> Table:
    table = Table(title="CPU of the API server for one request, over a bare answer of the same size", box=None)
    for heading in ("call", "bare µs", "API µs", "ratio", "at most", "met"):
        table.add_column(heading, justify="left" if heading == "call" else "right")
    for call in report.calls:
        figures = report.figures.get(call.name)
        if figures is None:
            table.add_row(call.name, "", "n/a", "", f"{call.target.bare_answers:g}", "")
            continue
        ratio, at_most = statistics.median(figures.ratios), figures.at_most(call)
        table.add_row(
            call.name,
            spread(figures.bare_cpu_us),
            spread(figures.api_cpu_us),
            spread(figures.ratios, digits=1),
            f"{at_most:.1f}",
            "[green]yes[/]" if ratio <= at_most else "[red]no[/]",
        )
    return table


def _speed_table(report: Report) -> Table:
    table = Table(
        title="\nRequests a second and times in ms, one API server, and the gateway over all", box=None
    )
    headings = (
        "call",
        "req/s",
        "p50",
        "p99",
        "bare req/s",
        "gateway: req/s",
        "p50",
        "p99",
        "API µs",
        "nginx µs",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "call" else "right")
    for call in report.calls:
        figures = report.figures.get(call.name)
        if figures is None:
            continue
        table.add_row(
            call.name,
            spread(figures.per_second),
            *(f"{statistics.median(each):.1f}" for each in (figures.p50_ms, figures.p99_ms)),
            f"{statistics.median(figures.bare_per_second):.0f}",
            spread(figures.gateway_per_second),
            *(f"{statistics.median(each):.1f}" for each in (figures.gateway_p50_ms, figures.gateway_p99_ms)),
            *(
                f"{statistics.median(each):.0f}"
                for each in (figures.gateway_api_cpu_us, figures.gateway_cpu_us)
            ),
        )
    return table


def _growth_table(report: Report) -> Table:
    """How the cost of each call changes with what is stored, pair by pair: what slows both is not counted."""
    table = Table(
        title="\nCPU of the API server for one request, in turns with one that has many products and users",
        box=None,
    )
    for heading in ("call", "few: µs", "many: µs", "change", "half of the turns", "within a tenth"):
        table.add_column(heading, justify="left" if heading == "call" else "right")
    for name, pairs in report.growth.items():
        changes = [many / few - 1 for few, many in pairs]
        change = statistics.median(changes)
        lower, _, upper = statistics.quantiles(changes, n=4)
        table.add_row(
            name,
            spread([few for few, _ in pairs]),
            spread([many for _, many in pairs]),
            f"{change:+.0%}",
            f"{lower:+.0%} to {upper:+.0%}",
            "[green]yes[/]" if change <= MOST_GROWTH else "[red]no[/]",
        )
    return table


def _limits_table(report: Report) -> Table:
    table = Table(title="\nBeside it", box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, values in report.limits.items():
        table.add_row(name, spread(values))
    for name, size in report.memory_mib.items():
        table.add_row(f"memory, {name}", f"{size:.0f} MiB")
    for name, rate in report.hit_rates.items():
        table.add_row(f"hit rate, {name}", "n/a" if rate is None else f"{rate:.1%}")
    return table


def spread(values: Sequence[float], *, digits: int = 0) -> str:
    """The median, and what the rounds spread over."""
    shown = [f"{each:.{digits}f}" for each in (statistics.median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]}-{shown[2]})"
