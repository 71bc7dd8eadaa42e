"""`midrise scale`: another number of API instances."""

import re
from typing import Annotated

import typer


def scale(
    what: Annotated[str, typer.Argument(metavar="api=N", help="How many API instances are to run, 1 to 64.")],
) -> None:
    """Start or stop API instances until there are so many. Those that go finish their requests first."""
    found = re.fullmatch(r"api=([0-9]{1,6})", what)
    if not found:
        raise typer.BadParameter("say for example api=4", param_hint="api=N")

    from midrise.cli.ordering import order
    from midrise.topology.control import Scale

    order(Scale(api=int(found[1])))
