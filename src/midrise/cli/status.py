"""`midrise status`: what runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from midrise.cli.planning import one_sentence, state_of_settings

if TYPE_CHECKING:
    from midrise.topology.events import Status

NOT_READY = 3


def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Show what runs.

    Exit code 0: all is ready; 1: nothing runs, or what runs has lost its supervisor; 3: not all of it is ready.
    """
    state = state_of_settings()

    import json

    import msgspec

    from midrise.topology.control import ask_status
    from midrise.topology.leftovers import refuse_orphaned

    with one_sentence():
        refuse_orphaned(state)
        now = ask_status(state.control, home=state.home)
    if as_json:
        facts = msgspec.to_builtins(now)
        facts.pop("type")
        typer.echo(json.dumps(facts))
    else:
        _print(now)
    if not now.ready:
        raise typer.Exit(NOT_READY)


def _print(now: "Status") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("process", "pid", "state", "restarts", box=None, pad_edge=False, header_style="dim")
    for process in now.processes:
        colour = "green" if process.state == "running" else "yellow"
        state = f"[{colour}]{process.state}[/]"
        table.add_row(process.name, str(process.pid or ""), state, str(process.restarts))
    console = Console(highlight=False)
    console.print(f"{now.gateway} is {'[green]ready[/]' if now.ready else '[yellow]not ready[/]'}")
    console.print(table)
