"""`midrise down`: stops the whole."""

import time

import typer

UNLOCK_LIMIT_S = 10


def down() -> None:
    """Stop everything in the reverse order of its start. Requests under way are finished, data are kept."""
    from midrise.cli.ordering import order
    from midrise.topology.control import Down

    state = order(Down())
    limit = time.monotonic() + UNLOCK_LIMIT_S
    while state.is_locked():
        if time.monotonic() > limit:
            typer.echo(f"Everything stopped, but the supervisor still holds {state.home}", err=True)
            raise typer.Exit(1)
        time.sleep(0.01)
