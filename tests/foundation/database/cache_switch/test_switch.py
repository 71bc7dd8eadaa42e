"""The switch on a real row: several processes that turn it off and on, and what each may believe."""

import asyncio
import random

import pytest
from tests.foundation.cache.remembered import open_cache
from tests.foundation.database.cache_switch.conftest import HeldServer
from tests.foundation.waiting import until

from midrise.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio

IS_ON = "SELECT off_until IS NULL FROM cache_state"
EPOCH = "SELECT epoch FROM cache_state"
OFF = "UPDATE cache_state SET off_until = clock_timestamp() + interval '1 second'"


async def is_on(*switches) -> set[str]:
    """Wait until all may use the cache; the prefixes under which they do."""
    await until(lambda: all(switch.prefix is not None for switch in switches))
    return {str(switch.prefix) for switch in switches}


async def test_it_is_off_until_it_was_watched_for_a_while_and_then_on_for_all(process, server):
    one, other = process(server), process(server)
    await one.start()
    await other.start()
    assert one.prefix is other.prefix is None
    assert len(await is_on(one, other)) == 1


async def test_of_many_that_would_turn_it_on_one_does(process, server, row):
    switches = [process(server) for _ in range(8)]
    await asyncio.gather(*(switch.start() for switch in switches))
    prefixes = await is_on(*switches)
    epoch = await row.fetchval(EPOCH)
    assert len(prefixes) == 1
    assert prefixes.pop().startswith(f"{epoch}.")


async def test_when_it_was_turned_off_nobody_believes_otherwise_however_long_ago_they_asked(process, server):
    one, watching, asked_once = process(server), process(server), process(server)
    await one.start()
    await watching.start()
    await is_on(one, watching)
    assert await asked_once.known_prefix() == one.prefix
    await one.turn_off()
    assert one.prefix is watching.prefix is asked_once.prefix is None


async def test_whoever_finds_it_off_waits_as_well(process, server):
    one, other, asked_once = process(server), process(server), process(server)
    await one.start()
    await is_on(one)
    for _ in range(10):
        await asked_once.known_prefix()
        turning = asyncio.create_task(one.turn_off())
        await asyncio.sleep(random.uniform(0, 0.1))
        await other.turn_off()
        assert asked_once.prefix is None
        await turning
        if one.prefix is None:
            break


async def test_it_comes_back_with_another_epoch(process, server, row):
    switch = process(server)
    await switch.start()
    (before,) = await is_on(switch)
    await row.execute(OFF)
    await until(lambda: switch.prefix is None)
    (after,) = await is_on(switch)
    assert after != before


async def test_what_was_known_is_not_believed_for_long(process, server):
    watching, asked_once = process(server), process(server)
    await watching.start()
    await is_on(watching)
    assert await asked_once.known_prefix() is not None
    await until(lambda: asked_once.prefix is None)
    assert watching.prefix is not None


async def test_another_server_of_the_cache_is_not_used_before_a_new_epoch(process, server, row):
    switch, late = process(server), process(HeldServer(server.server_id))
    await switch.start()
    (before,) = await is_on(switch)
    assert await late.known_prefix() == before
    server.server_id = "another"
    assert switch.prefix is None
    (after,) = await is_on(switch)
    assert after != before
    await until(lambda: late.prefix is None)
    assert await late.known_prefix() is None


async def test_without_a_connection_to_the_cache_it_is_not_used(process, server):
    switch = process(server)
    await switch.start()
    (before,) = await is_on(switch)
    server.server_id, kept = None, server.server_id
    assert switch.prefix is None
    server.server_id = kept
    assert await is_on(switch) == {before}


async def test_a_cache_that_does_not_answer_is_not_turned_on(process, server, row):
    server.answers = False
    switch = process(server)
    await switch.start()
    await until(lambda: server.checked > 3)
    assert not await row.fetchval(IS_ON)
    server.answers = True
    await is_on(switch)


async def test_a_promoted_primary_begins_a_new_epoch(process, server, row):
    # Who asked the primary of before may believe it for a moment longer, and writers mark with the new one.
    watching = process(server)
    await watching.start()
    (before,) = await is_on(watching)
    await row.execute("UPDATE cache_state SET server = regexp_replace(server, '@.*', '@999')")
    asked_after = process(server)
    assert await asked_after.known_prefix() is None
    await until(lambda: watching.prefix is None)
    (after,) = await is_on(watching)
    assert after.partition(".")[0] != before.partition(".")[0]


async def test_a_real_server_that_was_restarted_is_another(process, start_valkey):
    valkey = start_valkey()
    cache = open_cache(valkey.url)
    switch = process(cache)
    await switch.start()
    (before,) = await is_on(switch)
    valkey.kill()
    valkey.start()
    await until(lambda: switch.prefix not in {before, None})
    await cache.close()


async def test_a_command_without_a_cache_turns_it_off_for_all_and_it_comes_back(process, server):
    watching, command = process(server), process(None)
    await watching.start()
    (before,) = await is_on(watching)
    await command.turn_off()
    assert watching.prefix is command.prefix is None
    assert await is_on(watching) != {before}


async def test_a_command_with_a_cache_connects_before_it_asks(process, valkey_url):
    cache, own = open_cache(valkey_url), open_cache(valkey_url)
    watching, command = process(cache), process(own)
    await watching.start()
    prefixes = await is_on(watching)
    assert {await command.known_prefix()} == prefixes
    await cache.close()
    await own.close()


async def test_who_gives_up_while_it_is_turned_off_leaves_no_trouble_behind(process, server):
    switch = process(server)
    for number in range(40):
        turning = asyncio.create_task(switch.turn_off())
        await asyncio.sleep(number / 4000)
        turning.cancel()
        await asyncio.wait([turning])
        assert await switch.known_prefix() is None
    await switch.turn_off()


async def test_a_row_that_somebody_holds_ends_the_waiting_and_is_not_waited_for_by_others(process, server, row):
    one, other = process(server), process(server)
    await one.start()
    await is_on(one)
    async with row.transaction():
        await row.execute("SELECT FROM cache_state FOR UPDATE")
        with pytest.raises(Unavailable):
            await one.turn_off()
        assert await other.known_prefix() is not None
    await one.turn_off()
    assert other.prefix is None


async def test_without_the_database_nothing_is_believed_and_nothing_turned_off(process, server, tmp_path):
    switch = process(server, url=f"postgresql://midrise@/midrise?host={tmp_path}&port=1")
    await switch.start()
    assert await switch.known_prefix() is None
    with pytest.raises(Unavailable):
        await switch.turn_off()
