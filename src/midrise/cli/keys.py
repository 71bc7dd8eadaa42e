"""`midrise keys`: the keys that sign access tokens."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from midrise.cli.process import refuse_or, settings_of_running

if TYPE_CHECKING:
    from midrise.foundation.module import Services

keys = typer.Typer(help="Signing keys.", no_args_is_help=True)

Result = TypeVar("Result")
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


@keys.callback()
def _keys() -> None:
    """The keys that sign access tokens: one signs, the next one is published already."""


@keys.command("list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List the keys, the oldest first."""
    from midrise.modules.identity import KeyChanges

    found = _run(lambda services: services.get(KeyChanges).list_keys())
    rows = [{"kid": key.kid, "state": key.state.value, "since": key.moved_at.isoformat()} for key in found]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['kid']}  {row['state']:<8}  since {row['since']}")


@keys.command()
def rotate(
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Also while other services may not know the next key yet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have the next key sign. The one before verifies until its last token has expired."""
    from midrise.modules.identity import KeyChanges

    rotation = _run(lambda services: services.get(KeyChanges).rotate(at_once=now))
    if as_json:
        typer.echo(json.dumps({"current": rotation.current_kid, "wait_seconds": rotation.wait_seconds}))
    elif rotation.wait_seconds:
        typer.echo(
            f"The next key was published a moment ago, and other services may not know it yet: "
            f"come back in {rotation.wait_seconds} s, or say --now.",
            err=True,
        )
    else:
        typer.echo(f"{rotation.current_kid} signs now.")
    if rotation.wait_seconds:
        raise typer.Exit(1)


@keys.command()
def revoke(kid: Annotated[str, typer.Argument(help="The key's id.")], *, as_json: AsJson = False) -> None:
    """End a key with all its tokens, at once and everywhere. If it signs, the next one does from now on."""
    from midrise.modules.identity import KeyChanges

    key = _run(lambda services: services.get(KeyChanges).revoke(kid))
    if as_json:
        typer.echo(json.dumps({"revoked": key.kid, "was": key.state.value}))
    else:
        typer.echo(f"{key.kid}, which was {key.state.value}, is revoked. Its tokens are dead.")


@keys.command()
def reseal(*, as_json: AsJson = False) -> None:
    """Seal with the present master secret what the previous one sealed: signing keys and second factors."""
    from midrise.modules.identity import KeyChanges, SecondFactors

    async def seal(services: "Services") -> tuple[int, int]:
        return await services.get(KeyChanges).reseal(), await services.get(SecondFactors).reseal()

    signing_keys, second_factors = _run(seal)
    if as_json:
        typer.echo(json.dumps({"signing_keys": signing_keys, "second_factors": second_factors}))
    else:
        typer.echo(f"Resealed: {signing_keys} signing keys, {second_factors} second factors.")


def _run(work: "Callable[[Services], Awaitable[Result]]") -> Result:
    settings = settings_of_running()
    with refuse_or():
        from midrise.app import assemble

        async def run() -> Result:
            assembly = assemble(settings, process="keys")
            try:
                return await work(assembly.house.services)
            finally:
                await assembly.close()

        return asyncio.run(run())
    raise AssertionError  # what can't be done has ended the command
