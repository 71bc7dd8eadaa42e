"""The log is a line of JSON an event, from every logger of the process, and shows no secret."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

BEFORE = """
import logging
import structlog
from midrise.foundation.observability import logs

logs.configure(process="api.1", level="{level}"{more})
"""


def logged(program: str, *, level: str = "info") -> list[dict]:
    """The lines that a process logs which runs this after it has configured its log."""
    source = BEFORE.format(level=level, more="") + dedent(program)
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_line_says_what_happened_when_and_where():
    (line,) = logged('structlog.get_logger().info("user.registered", count=2)')
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "user.registered", "level": "info", "process": "api.1", "count": 2}


def test_lines_of_libraries_are_alike():
    (line,) = logged('logging.getLogger("asyncpg").warning("slow %s", "query")')
    assert (line["event"], line["level"], line["process"]) == ("slow query", "warning", "api.1")
    assert "timestamp" in line


@pytest.mark.parametrize(
    ("level", "heard"),
    [("debug", ["d", "i", "w", "e"]), ("info", ["i", "w", "e"]), ("warning", ["w", "e"]), ("error", ["e"])],
)
def test_only_what_is_as_grave_as_asked_for_is_logged(level, heard):
    program = """
    log, other = structlog.get_logger(), logging.getLogger("library")
    for event in ("debug", "info", "warning", "error"):
        getattr(log, event)(event[0])
        getattr(other, event)(event[0])
    """
    events = [line["event"] for line in logged(program, level=level)]
    assert events == [event for event in heard for _ in range(2)]


def test_what_is_told_without_a_logger_is_a_line_like_others():
    program = """
    logs.request_ids.set(logs.RequestIds("r1", "t1"))
    logs.tell({"event": "request", "status": 200})
    structlog.get_logger().info("request", status=200)
    """
    told, logged_by_logger = logged(program)
    assert told.pop("timestamp") <= logged_by_logger.pop("timestamp")
    assert told == logged_by_logger
    assert logged("logs.tell({'event': 'request'})", level="warning") == []


def test_every_line_of_a_request_carries_its_id():
    program = """
    logs.request_ids.set(logs.RequestIds("r1"))
    structlog.get_logger().info("one")
    logging.getLogger("library").info("two")
    """
    assert [line["request_id"] for line in logged(program)] == ["r1", "r1"]


def test_an_exception_is_logged_with_its_way_and_without_the_values_on_it():
    program = """
    def check(password):
        raise ValueError("wrong")

    for log in (structlog.get_logger(), logging.getLogger("library")):
        try:
            check("canary")
        except ValueError:
            log.exception("failed")
    """
    lines = logged(program)
    for line in lines:
        (exception,) = line["exception"]
        assert (exception["exc_type"], exception["exc_value"]) == ("ValueError", "wrong")
        assert [frame["name"] for frame in exception["frames"]] == ["<module>", "check"]
        assert "canary" not in json.dumps(line)
    assert len(lines) == 2


def test_the_access_log_of_the_server_is_left_to_ours():
    assert logged('logging.getLogger("uvicorn.access").info("GET /?token=canary")') == []


def test_a_command_keeps_standard_output_for_its_answer():
    program = """
    structlog.get_logger().warning("one")
    logging.getLogger("library").warning("two")
    """
    source = BEFORE.format(level="info", more=", file=sys.stderr") + dedent(program)
    command = [sys.executable, "-c", "import sys" + source]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    assert [json.loads(line)["event"] for line in ended.stderr.splitlines()] == ["one", "two"]
