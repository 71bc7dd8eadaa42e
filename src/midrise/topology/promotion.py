"""What an operator does by hand to make a replica the primary, step by step."""

import asyncio
import contextlib
import re
import time

from midrise.topology.cluster import PostgresCluster
from midrise.topology.errors import CannotStart, Refused
from midrise.topology.places import timeline_of
from midrise.topology.postgres import PostgresReplica

NEAR_BYTES = 1024 * 1024
"""A replica that is no further behind gets the rest in a moment."""
CATCH_UP_LIMIT_S = 30
REST_LIMIT_S = 20
PROMOTE_LIMIT_S = 60
LOOK_EVERY_S = 0.02


async def is_promoted(replica: PostgresReplica) -> bool:
    """Whether somebody has promoted it already."""
    return await replica.ask("SELECT pg_is_in_recovery()") == "f"


async def refuse_unfit(replica: PostgresReplica) -> None:
    """Raise Refused where a replica doesn't get, or doesn't take in, what the primary writes."""
    if not await replica.is_streaming():
        raise Refused(
            f"{replica.name} is not streaming from the primary now, so it may lack what was acknowledged: "
            f"see midrise logs {replica.name}"
        )
    if await replica.ask("SELECT pg_get_wal_replay_pause_state()") != "not paused":
        raise Refused(f"Replay is paused on {replica.name}: call pg_wal_replay_resume() there first")


async def catch_up(replica: PostgresReplica, primary: PostgresCluster) -> None:
    """Have as little as possible left to do while nobody can write. Raises Refused where it is far behind."""
    await primary.ask("CHECKPOINT")
    end = await primary.ask("SELECT pg_current_wal_insert_lsn()")
    behind = f"SELECT pg_wal_lsn_diff('{end}', pg_last_wal_replay_lsn()) < {NEAR_BYTES}"
    if not await _becomes_true(replica, behind, limit_s=CATCH_UP_LIMIT_S):
        raise Refused(f"{replica.name} is too far behind {primary.name}: try again when it has caught up")


async def take_rest(replica: PostgresReplica, stopped: PostgresCluster) -> None:
    """Wait until a replica has replayed the last that the primary wrote, its shutdown checkpoint.

    Raises Refused where the primary was not shut down in order, or the replica doesn't get there.
    """
    facts = await stopped.run_program("pg_controldata", "-D", str(stopped.folder))
    state = re.search(r"^Database cluster state:\s*(.+)$", facts, re.MULTILINE)
    last = re.search(r"^Latest checkpoint location:\s*([0-9A-F]+/[0-9A-F]+)$", facts, re.MULTILINE)
    if not state or not last or state[1] != "shut down":
        raise Refused(f"{stopped.name} did not shut down in order, so nothing was promoted")
    # What is replayed ends behind the last record, and what is shown is where that one begins.
    has_all = f"SELECT pg_last_wal_replay_lsn() > '{last[1]}'"
    if not await _becomes_true(replica, has_all, limit_s=REST_LIMIT_S):
        raise Refused(f"{replica.name} did not get the last of {stopped.name}, so it was not promoted")


async def promote(replica: PostgresReplica) -> None:
    """End its recovery, and wait until it takes changes."""
    done = await replica.ask(f"SELECT pg_promote(true, {PROMOTE_LIMIT_S})")
    if done != "t" and not await is_promoted(replica):
        raise Refused(f"{replica.name} was told to become the primary and did not: see midrise logs")


async def follows(replica: PostgresReplica, *, limit_s: float) -> bool:
    """Whether it gets what its primary writes, on the timeline of that, before the time is up."""
    receives = f"SELECT received_tli = {timeline_of(replica.primary.folder)} FROM pg_stat_wal_receiver"  # noqa: S608  a number
    return await _becomes_true(replica, receives, limit_s=limit_s)


async def _becomes_true(server: PostgresCluster, statement: str, *, limit_s: float) -> bool:
    limit = time.monotonic() + limit_s
    while time.monotonic() < limit:
        with contextlib.suppress(CannotStart):
            if await server.ask(statement) == "t":
                return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False
