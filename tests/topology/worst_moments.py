"""Lets an instance die at the worst moment, as often as one likes: around its commit, before its answer."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
from tests.topology.house import House, wait_for

# The last thing before a commit is to wait for whoever holds the lock.
WAITING_BEFORE_COMMITS = """
CREATE FUNCTION wait_before_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(20261127);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER waits_before_commit AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait_before_commit();
"""
_HOLD_COMMITS = "SELECT pg_advisory_lock(20261127);"
HOLD_PRODUCTS = "BEGIN; LOCK TABLE products; SELECT 1;"
_WHO_WAITS = """
SELECT application_name FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND wait_event = '{what}' AND application_name LIKE 'midrise api.%'
"""


@contextlib.contextmanager
def held(house: House, statement: str) -> Iterator[None]:
    """A session that runs the statement and stays until the block ends."""
    with subprocess.Popen(house.psql(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(f"{statement}\n\\echo held\n")
        session.stdin.flush()
        while session.stdout.readline() != "held\n":
            assert session.poll() is None
        yield
        session.stdin.close()


@contextlib.contextmanager
def killed_at_last(pid: int) -> Iterator[None]:
    """Kill the process after the block, however that ends."""
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)


def waiting_instance(house: House, what: str) -> str:
    """The name of the one instance that waits for a lock."""
    return str(wait_for(lambda: house.sql(_WHO_WAITS.format(what=what))).split()[1])


def dies_between_commit_and_answer(
    house: House, call: Callable[[], httpx.Response], *, is_committed: Callable[[], bool]
) -> httpx.Response:
    """What the client gets: the instance has sent COMMIT, is frozen, the commit is done, and it is killed."""
    with ThreadPoolExecutor(1) as client, contextlib.ExitStack() as frozen:
        with held(house, _HOLD_COMMITS):
            answer = client.submit(call)
            pid = house.process(waiting_instance(house, "advisory"))["pid"]
            os.kill(pid, signal.SIGSTOP)
            frozen.enter_context(killed_at_last(pid))
            assert not is_committed()
        wait_for(is_committed)
        frozen.close()
        return answer.result()


def dies_before_the_commit_is_done(house: House, call: Callable[[], httpx.Response]) -> httpx.Response:
    """What the client gets: the instance dies while its commit is under way, and the twin waits for that."""
    with ThreadPoolExecutor(1) as client:
        with held(house, _HOLD_COMMITS):
            answer = client.submit(call)
            os.kill(house.process(waiting_instance(house, "advisory"))["pid"], signal.SIGKILL)
            waiting_instance(house, "transactionid")
        return answer.result()
