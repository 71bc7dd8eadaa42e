"""`midrise serve`: one stateless API server."""

from pathlib import Path
from typing import Annotated

import typer

from midrise.cli.process import refuse_or, settings_of_process
from midrise.foundation.http.server import InsideServer, Listener, run
from midrise.foundation.http.server import serve as serve_app
from midrise.foundation.observability import logs


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    uds: Annotated[Path | None, typer.Option(help="A Unix socket to listen on instead.")] = None,
    internal_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="A port for /metrics, on the loopback address only.")
    ] = None,
    internal_uds: Annotated[Path | None, typer.Option(help="A Unix socket for /metrics.")] = None,
    name: Annotated[str, typer.Option(help="The name in logs, in PostgreSQL and in Valkey.")] = "api",
) -> None:
    """Run one API server in the foreground, for a container or behind a gateway of your own.

    SIGTERM lets it finish the requests that it has accepted.
    """
    settings = settings_of_process()
    logs.configure(process=name, level=settings.log.level)
    with refuse_or():
        from midrise.app import create_application

        application = create_application(settings, process=name)
        inside = _inside_listener(internal_uds, internal_port)
        run(
            serve_app(
                application,
                Listener(uds=uds, host=host, port=port),
                beside=InsideServer(application, inside) if inside else None,
            )
        )


def _inside_listener(uds: Path | None, port: int | None) -> Listener | None:
    if uds is not None:
        return Listener(uds=uds)
    return Listener(port=port) if port is not None else None
