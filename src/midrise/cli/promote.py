"""`midrise promote`: another PostgreSQL server becomes the primary."""

from typing import Annotated

import typer


def promote(
    name: Annotated[
        str, typer.Argument(metavar="postgres.replica.N", help="The replica, by its name in midrise status.")
    ],
) -> None:
    """Make a replica of the embedded database the primary, and the primary a replica of it.

    The old primary is shut down first, so nothing that was acknowledged is lost. Meanwhile changes wait, or get
    503 with Retry-After; reads go on. What is now the primary is called postgres.primary from then on.
    """
    from midrise.cli.ordering import order
    from midrise.topology.control import Promote

    order(Promote(name=name))
