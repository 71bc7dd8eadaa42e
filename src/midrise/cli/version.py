"""`midrise version`."""

from importlib.metadata import version as version_of

import typer


def version() -> None:
    """Say which version this is."""
    typer.echo(f"midrise {midrise_version()}")


def midrise_version() -> str:
    return version_of("midrise")
