"""`midrise up`: raises the whole on this machine."""

from typing import Annotated

import typer

from midrise.cli.planning import one_sentence, plan_of
from midrise.cli.version import midrise_version
from midrise.settings import load_or_exit


def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all is ready; it runs on.")
    ] = False,
) -> None:
    """Raise every floor on this machine: PostgreSQL and its replicas, Valkey, worker, API instances, nginx.

    In the foreground until Ctrl-C or `midrise down`, which let requests under way finish.
    """
    plan = plan_of(load_or_exit())

    from midrise.topology.detached import supervise_detached
    from midrise.topology.printer import Printer
    from midrise.topology.supervisor import supervise

    typer.echo(f"Midrise {midrise_version()} in {plan.home}")
    with one_sentence(), Printer(is_detached=detach) as printer:
        if detach:
            for event in supervise_detached(plan):
                printer.show(event)
        else:
            supervise(plan, tell=printer.show)
