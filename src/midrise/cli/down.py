"""`midrise down`: stops the whole."""

import time

import typer

from midrise.cli.planning import one_sentence, state_of_settings
from midrise.topology.state import StateFolder

UNLOCK_LIMIT_S = 10


def down() -> None:
    """Stop everything in the reverse order of its start. Requests under way are finished, data are kept."""
    from midrise.cli.ordering import order
    from midrise.topology.control import Down

    if _end_orphaned(state_of_settings()):
        return
    state = order(Down())
    limit = time.monotonic() + UNLOCK_LIMIT_S
    while state.is_locked():
        if time.monotonic() > limit:
            typer.echo(f"Everything stopped, but the supervisor still holds {state.home}", err=True)
            raise typer.Exit(1)
        time.sleep(0.01)


def _end_orphaned(state: StateFolder) -> bool:
    """End what a killed supervisor left running; whether there was any."""
    import asyncio

    from midrise.topology.leftovers import end_leftovers, name_leftovers

    if state.is_locked() or not (left := name_leftovers(state)):
        return False
    typer.echo(f"The supervisor of {state.home} is gone; ending what it left: {', '.join(left)}")
    with one_sentence(), state.locked():
        asyncio.run(end_leftovers(state))
        state.remove_sockets()
    typer.echo("Midrise is down")
    return True
