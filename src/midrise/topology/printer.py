"""Shows a person what a topology tells of itself: on a terminal with what is under way, else a line a step."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status as Spinner

from midrise.topology.events import Administrator, Began, Done, Event, Failed, Finished, Noted, Raised

NAME_WIDTH = 20


class Printer:
    """Prints events as they come. Use it as a context manager, so that the spinner is taken away."""

    def __init__(self, console: Console | None = None, *, is_detached: bool = False) -> None:
        self._is_detached = is_detached
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._under_way: dict[str, str] = {}
        self._spinner: Spinner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, trouble: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._under_way.clear()
        self._spin()

    def show(self, event: Event) -> None:
        """Print one event; a status is no news and is not printed."""
        match event:
            case Began(name=name, doing=doing):
                self._under_way[name] = doing
            case Finished(name=name, doing=doing, seconds=seconds):
                self._under_way.pop(name, None)
                self._line(f"[green]✓[/] {escape(name):<{NAME_WIDTH}} {escape(doing)} [dim]{seconds:.2f} s[/]")
            case Noted(text=text):
                self._line(f"[yellow]![/] {escape(text)}")
            case Raised(address=address, seconds=seconds, administrator=administrator):
                self._under_way.clear()
                self._raised(address, seconds, administrator)
            case Failed(reason=reason):
                self._line(f"[red]✗[/] {escape(reason)}")
            case Done(text=text) if text:
                self._line(escape(text))
        self._spin()

    def _raised(self, address: str, seconds: float, administrator: Administrator | None) -> None:
        self._line(f"\nMidrise is ready after {seconds:.1f} s: [bold]{escape(address)}[/]")
        self._line(f"  documentation   {escape(address)}/docs   {escape(address)}/reference")
        if administrator:
            self._line(f"  administrator   {escape(administrator.email)}")
            if administrator.password:
                self._line(
                    f"  password        [bold]{escape(administrator.password)}[/]   (shown only this once)"
                )
        self._line(f"  stop            {'' if self._is_detached else 'Ctrl-C here, or '}midrise down\n")

    def _line(self, markup: str) -> None:
        self._console.print(markup)

    def _spin(self) -> None:
        """Say on a terminal what is under way; say nothing when nothing is."""
        if not self._console.is_terminal:
            return
        if not self._under_way:
            if self._spinner:
                self._spinner.stop()
                self._spinner = None
            return
        text = ", ".join(f"{escape(name)}: {escape(doing)}" for name, doing in self._under_way.items())
        if self._spinner:
            self._spinner.update(text)
        else:
            self._spinner = self._console.status(text)
            self._spinner.start()
