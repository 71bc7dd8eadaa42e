"""The command line: one file a command, read only when that command is called, so that `--help` is quick."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "up": "Raise every floor on this machine and keep it up.",
    "status": "Show what runs.",
    "scale": "Run another number of API instances: scale api=4.",
    "restart": "Replace worker and API instances without a failed request.",
    "promote": "Make a replica of the database the primary: promote postgres.replica.1.",
    "down": "Stop everything, requests under way first.",
    "logs": "Show the logs.",
    "serve": "Run one API server, for a container or behind a gateway of your own.",
    "worker": "Run one worker.",
    "migrate": "Bring the database to the present shape.",
    "admin": "Make administrators.",
    "keys": "Change the keys that sign access tokens, and reseal them.",
    "cache": "Forget what is remembered, after changes by hand.",
    "mail": "Show the mails that are kept as files.",
    "seed": "Fill the catalogue from a file, or with made-up products.",
    "version": "Say which version this is.",
}


class CommandsOnDemand(TyperGroup):
    """Lists the commands without reading them."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=text) for name, text in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, outline, rest = super().resolve_command(ctx, args)
        return (name, _read(name), rest) if outline and name else (name, outline, rest)


app = typer.Typer(cls=CommandsOnDemand, no_args_is_help=True, add_completion=False)


@app.callback()
def _midrise() -> None:
    """A medium-scale backend, whole: one command raises it, settings are MIDRISE_… or stand in midrise.toml."""


def _read(name: str) -> Any:
    found = getattr(import_module(f"midrise.cli.{name}"), name)
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)
