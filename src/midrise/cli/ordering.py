"""Gives an order to the supervisor and shows what comes of it."""

from midrise.cli.planning import one_sentence, state_of_settings
from midrise.topology.control import Order, give
from midrise.topology.leftovers import refuse_orphaned
from midrise.topology.printer import Printer
from midrise.topology.state import StateFolder


def order(what: Order) -> StateFolder:
    """Have this done on the topology of the settings; one sentence and exit code 1 if it can't be."""
    state = state_of_settings()
    with one_sentence(), Printer() as printer:
        refuse_orphaned(state)
        for event in give(what, state.control, home=state.home):
            printer.show(event)
    return state
