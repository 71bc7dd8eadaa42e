"""`midrise cache`: what is remembered."""

import asyncio

import typer

from midrise.cli.process import refuse_or, settings_of_running

cache = typer.Typer(help="What is remembered.", no_args_is_help=True)


@cache.callback()
def _cache() -> None:
    """Answers, sessions and permissions that are remembered. What Midrise changes, it marks by itself."""


@cache.command()
def renew() -> None:
    """Show nothing again that is remembered now: for rows that were changed by hand, or a restored dump."""
    settings = settings_of_running()
    with refuse_or():
        from midrise.app import renew_cache

        asyncio.run(renew_cache(settings))
    typer.echo("Whatever is asked for from now on is read from the database once more.")
