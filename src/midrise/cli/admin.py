"""`midrise admin`: accounts that may do everything."""

import asyncio
import json
import secrets
import sys
from typing import Annotated

import typer

from midrise.cli.process import refuse_or, settings_of_running

admin = typer.Typer(help="Administrators.", no_args_is_help=True)

_RANDOM_PASSWORD_BYTES = 18


@admin.callback()
def _administrators() -> None:
    """Administrators."""


@admin.command()
def create(
    email: Annotated[str, typer.Option(help="The address to log in with.")],
    name: Annotated[str, typer.Option(help="How the person is called.")] = "Administrator",
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    if_none: Annotated[
        bool, typer.Option("--if-none", help="Only where no administrator is there yet.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Make an administrator; without a password given, a random one is made and shown once."""
    given = sys.stdin.readline().rstrip("\n") if password_stdin else None
    password = given if given is not None else secrets.token_urlsafe(_RANDOM_PASSWORD_BYTES)
    settings = settings_of_running()
    with refuse_or():
        from midrise.app import create_administrator

        made = asyncio.run(
            create_administrator(settings, email=email, name=name, password=password, if_none=if_none)
        )
    shown = password if made and given is None else None
    if as_json:
        typer.echo(json.dumps({"created": made, "email": email, "password": shown}))
    elif not made:
        typer.echo("There is an administrator already; nothing was changed.")
    else:
        typer.echo(f"Administrator {email} was made." + (f" Password (shown once): {shown}" if shown else ""))
