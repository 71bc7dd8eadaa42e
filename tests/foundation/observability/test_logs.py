import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from midrise.foundation.observability import logs
logs.configure(process="api.1", level="info")
def fail():
    password = "three green boats"
    raise ValueError("no")
for tell in (structlog.get_logger().exception, logging.getLogger("library").exception):
    try:
        fail()
    except ValueError:
        tell("it failed")
structlog.get_logger().debug("too fine")
"""


def log_lines() -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_our_own_and_libraries_events_are_json_with_the_process_name():
    events = [json.loads(line) for line in log_lines()]
    assert [event["event"] for event in events] == ["it failed", "it failed"]
    assert {event["process"] for event in events} == {"api.1"}
    assert {event["level"] for event in events} == {"error"}


def test_a_traceback_names_the_error_and_no_variable():
    for line in log_lines():
        assert json.loads(line)["exception"][0]["exc_value"] == "no"
        assert "three green boats" not in line
