"""`midrise logs`: what the processes have printed."""

import time
from typing import Annotated

import typer

from midrise.cli.planning import state_of_settings

LOOK_EVERY_S = 0.2


def logs(
    name: Annotated[
        str | None, typer.Argument(help="A process, such as api.1; all if left out.", show_default=False)
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added.")] = False,
) -> None:
    """Show the last lines of the logs, whether Midrise runs or not."""
    state = state_of_settings()

    from midrise.topology.logs import LogReader

    reader = LogReader(state.logs, name=name)
    names = reader.names()
    if (name or "") not in {"", *names}:
        typer.echo(f"There is no log of {name}; there are: {', '.join(names) or 'none'}", err=True)
        raise typer.Exit(1)
    width = max((len(each) for each in names), default=0)
    try:
        for line in reader.recent():
            _print(line.name, line.text, width=0 if name else width)
        while follow:
            time.sleep(LOOK_EVERY_S)
            for line in reader.added():
                _print(line.name, line.text, width=0 if name else width)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _print(name: str, text: str, *, width: int) -> None:
    typer.echo(f"{name:<{width}}  {text}" if width else text)
