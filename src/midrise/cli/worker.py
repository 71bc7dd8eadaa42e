"""`midrise worker`: does the jobs."""

from pathlib import Path
from typing import Annotated

import typer

from midrise.cli.process import refuse_or, settings_of_process
from midrise.foundation.observability import logs


def worker(
    internal_uds: Annotated[Path | None, typer.Option(help="A Unix socket for /metrics and /readyz.")] = None,
    name: Annotated[str, typer.Option(help="The name in logs and in PostgreSQL.")] = "worker",
) -> None:
    """Run one worker in the foreground. Several share the work."""
    settings = settings_of_process()
    logs.configure(process=name, level=settings.log.level)
    with refuse_or():
        from midrise.app import run_worker
        from midrise.foundation.http.server import run

        run(run_worker(settings, process=name, internal_uds=internal_uds))
