"""What a person sees."""

import io

from rich.console import Console

from midrise.topology.events import Administrator, Began, Done, Event, Finished, Noted, Raised, Status
from midrise.topology.printer import Printer


def printed(*events: Event, terminal: bool = False) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=100, highlight=False, soft_wrap=True)
    with Printer(console) as printer:
        for event in events:
            printer.show(event)
    return output.getvalue()


def test_each_finished_step_is_a_line_with_its_time() -> None:
    text = printed(Began("valkey", "starting"), Finished("valkey", "starting", 0.123))
    assert text == "✓ valkey               starting 0.12 s\n"


def test_a_terminal_shows_what_is_under_way() -> None:
    assert "valkey: starting" in printed(Began("valkey", "starting"), terminal=True)


def test_at_the_end_come_the_addresses_and_the_password_that_was_made() -> None:
    text = printed(Raised("http://127.0.0.1:8080", 3.21, Administrator("a@b.example", "s3cret")))
    assert "Midrise is ready after 3.2 s: http://127.0.0.1:8080\n" in text
    assert "http://127.0.0.1:8080/docs" in text
    assert "a@b.example" in text
    assert "s3cret   (shown only this once)" in text


def test_a_detached_start_says_how_to_stop_what_is_not_here() -> None:
    output = io.StringIO()
    with Printer(Console(file=output, width=100), is_detached=True) as printer:
        printer.show(Raised("http://127.0.0.1:8080", 3.21, None))
    assert "stop            midrise down\n" in output.getvalue()


def test_a_given_password_is_not_printed() -> None:
    assert "password" not in printed(Raised("http://127.0.0.1:8080", 3.21, Administrator("a@b.example", None)))


def test_notes_and_results_are_lines_and_a_status_is_none() -> None:
    text = printed(
        Noted("[odd] api.1 is back"), Status("http://x", ready=True, processes=()), Done(""), Done("All done")
    )
    assert text == "! [odd] api.1 is back\nAll done\n"
