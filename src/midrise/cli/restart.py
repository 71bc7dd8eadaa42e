"""`midrise restart`: a new process for every instance."""


def restart() -> None:
    """Run new migrations, then replace the worker and one API instance after the other.

    Each gets no requests while it is replaced, so none fails. The databases and the gateway stay as they are.
    """
    from midrise.cli.ordering import order
    from midrise.topology.control import Restart

    order(Restart())
