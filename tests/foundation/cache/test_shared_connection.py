"""The connection that all requests share, on real servers, and on one that says what the test wants."""

import asyncio
import secrets
import time
from collections.abc import Callable

import pytest
from redis.asyncio import Connection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from tests.foundation.waiting import until

from midrise.foundation.cache import shared_connection
from midrise.foundation.cache.shared_connection import SharedConnection

pytestmark = pytest.mark.anyio

INFO = b"run_id:0123456789abcdef\r\nmaster_replid:fedcba9876543210\r\n"


def shared(server, *, budget_seconds: float = 10) -> SharedConnection:
    return SharedConnection(
        lambda: UnixDomainSocketConnection(path=str(server.socket)), budget_seconds=budget_seconds
    )


def shared_by_tcp(url: str, *, budget_seconds: float = 10) -> SharedConnection:
    port = int(url.rpartition(":")[2])
    return SharedConnection(
        lambda: Connection(host="127.0.0.1", port=port, protocol=2), budget_seconds=budget_seconds
    )


def talking(answer: Callable[[int, bytes], bytes | None]):
    """A server that tells its run id, and then answers each command by its number; None hangs up."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await read_command(reader):
            if command[0] == b"INFO":
                writer.write(b"$%d\r\n%b\r\n" % (len(INFO), INFO))
            elif command[0] == b"CLIENT":
                writer.write(b"+OK\r\n")
            else:
                heard.append(command[-1])
                said = answer(len(heard), command[-1])
                if said is None:
                    return
                writer.write(said)

    return talk, heard


async def read_command(reader: asyncio.StreamReader) -> list[bytes]:
    try:
        count = int((await reader.readuntil(b"\r\n"))[1:])
        parts = []
        for _ in range(count):
            size = int((await reader.readuntil(b"\r\n"))[1:])
            parts.append((await reader.readexactly(size + 2))[:-2])
    except asyncio.IncompleteReadError:
        return []
    return parts


async def test_answers_come_in_the_order_of_the_calls_errors_among_them(start_valkey):
    connection = shared(start_valkey())
    calls = [
        connection.call("ECHO", number) if number % 7 else connection.call("NONSENSE") for number in range(500)
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, ResponseError) if number % 7 == 0 else outcome == str(number).encode()
    await connection.close()


async def test_what_is_asked_in_one_turn_is_written_at_once(fake_server):
    arrived: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            arrived.append(piece)
            writer.write(b"+OK\r\n" * piece.count(b"*"))

    async with fake_server(talk) as url:
        connection = shared_by_tcp(url)
        await connection.call("PING")
        arrived.clear()
        await asyncio.gather(*(connection.call("ECHO", number) for number in range(100)))
        assert [piece.count(b"ECHO") for piece in arrived] == [100]
        await connection.close()


async def test_answers_that_come_in_pieces_and_many_at_once_are_told_apart(fake_server):
    async def stammer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting: list[bytes] = []
        while command := await read_command(reader):
            if command[0] != b"ECHO":
                writer.write(b"+OK\r\n")
                continue
            waiting.append(b"$%d\r\n%b\r\n" % (len(command[1]), command[1]))
            if len(waiting) == 3:
                said = b"".join(waiting)
                for piece in (said[:2], said[2:11], said[11:]):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                waiting.clear()

    async with fake_server(stammer) as url:
        connection = shared_by_tcp(url)
        for number in range(10):
            asked = [f"{number} first", f"{number} second", f"{number} third"]
            answers = await asyncio.gather(*(connection.call("ECHO", text) for text in asked))
            assert [answer.decode() for answer in answers] == asked
        await connection.close()


async def test_a_server_that_refuses_as_it_is_loading_is_left(fake_server):
    talk, heard = talking(lambda number, _: b"-LOADING the dataset\r\n" if number == 1 else b"+OK\r\n")
    async with fake_server(talk) as url:
        connection = shared_by_tcp(url)
        assert await connection.call("ECHO", "1") == b"OK"
        assert heard == [b"1", b"1"]
        await connection.close()


async def test_a_connection_that_is_given_up_while_it_opens_is_closed(fake_server):
    async def be_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    opened: list[Connection] = []

    def make_connection() -> Connection:
        opened.append(Connection(host="127.0.0.1", port=int(url.rpartition(":")[2]), protocol=2))
        return opened[-1]

    async with fake_server(be_silent) as url:
        connection = SharedConnection(make_connection, budget_seconds=0.1)
        with pytest.raises(TimeoutError):
            await connection.call("PING")
        await until(lambda: not opened[0].is_connected)
        await connection.close()


async def test_it_tells_which_run_of_the_server_it_is_connected_to(start_valkey):
    server = start_valkey()
    connection = shared(server)
    assert connection.server_id is None
    await connection.call("PING")
    first = connection.server_id
    server.kill()
    await until(lambda: connection.server_id is None)
    server.start()
    await connection.call("PING")
    assert connection.server_id not in {first, None}
    await connection.close()
    assert connection.server_id is None


async def test_a_server_that_does_not_tell_which_it_is_has_no_name(fake_server):
    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_command(reader):
            writer.write(b"+OK\r\n")

    async with fake_server(agree) as url:
        connection = shared_by_tcp(url)
        await connection.call("PING")
        assert connection.server_id is None
        await connection.close()


async def test_a_call_that_met_the_end_of_its_connection_is_sent_once_more(fake_server):
    talk, heard = talking(lambda number, text: None if number == 1 else b"$%d\r\n%b\r\n" % (len(text), text))
    async with fake_server(talk) as url:
        connection = shared_by_tcp(url)
        assert await asyncio.gather(connection.call("ECHO", "a"), connection.call("ECHO", "b")) == [b"a", b"b"]
        assert heard == [b"a", b"a", b"b"]
        await connection.close()


async def test_and_not_a_second_time(fake_server):
    talk, heard = talking(lambda _number, _text: None)
    async with fake_server(talk) as url:
        connection = shared_by_tcp(url)
        with pytest.raises((RedisConnectionError, OSError)):
            await connection.call("ECHO", "a")
        assert heard == [b"a", b"a"]
        await connection.close()


async def test_a_server_that_hangs_costs_the_budget_and_the_next_call_has_a_new_connection(start_valkey):
    server = start_valkey()
    connection = shared(server, budget_seconds=0.3)
    await connection.call("PING")
    server.freeze()
    outcomes = await asyncio.gather(*(connection.call("PING") for _ in range(50)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {TimeoutError}
    assert connection.server_id is None
    server.thaw()
    patient = shared(server)
    assert await patient.call("ECHO", "after") == b"after"
    for each in (connection, patient):
        await each.close()


async def test_an_answer_that_waits_for_a_busy_process_is_not_late(start_valkey):
    connection = shared(start_valkey(), budget_seconds=0.05)
    await connection.call("PING")
    call = connection.call("ECHO", "a")
    await asyncio.sleep(0)
    time.sleep(0.2)  # noqa: ASYNC251  nothing else runs meanwhile, which is the point
    assert await call == b"a"
    await connection.close()


async def test_callers_that_went_away_do_not_shift_the_answers(start_valkey):
    connection = shared(start_valkey())
    await connection.call("PING")
    calls = [connection.call("ECHO", number) for number in range(300)]
    for call in calls[::3]:
        call.cancel()
    rest = [(number, call) for number, call in enumerate(calls) if number % 3]
    assert [await call for _, call in rest] == [str(number).encode() for number, _ in rest]
    await connection.close()


async def test_an_answer_to_no_question_ends_the_connection(fake_server):
    talk, _ = talking(lambda number, _text: b"+1\r\n+2\r\n" if number == 1 else b"+right\r\n")
    async with fake_server(talk) as url:
        connection = shared_by_tcp(url)
        assert await connection.call("ECHO", "a") == b"1"
        assert await connection.call("ECHO", "b") == b"right"
        await connection.close()


async def test_so_does_one_that_comes_before_the_first_question(fake_server):
    async def say_all_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await read_command(reader):
            writer.write(b"+OK\r\n" * (2 if command[0] == b"INFO" else 1))

    async with fake_server(say_all_twice) as url:
        connection = shared_by_tcp(url)
        with pytest.raises(RedisConnectionError):
            await connection.call("PING")
        await connection.close()


async def test_closing_fails_what_is_under_way_and_leaves_no_task(start_valkey):
    server = start_valkey()
    connection = shared(server)
    await connection.call("PING")
    before = asyncio.all_tasks()
    server.freeze()
    calls = [connection.call("PING") for _ in range(5)]
    await asyncio.sleep(0.05)
    await connection.close()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, RedisConnectionError) for outcome in outcomes)
    assert asyncio.all_tasks() <= before
    server.thaw()


async def test_too_many_calls_at_once_are_refused(start_valkey, monkeypatch):
    monkeypatch.setattr(shared_connection, "MOST_WAITING", 10)
    connection = shared(start_valkey())
    outcomes = await asyncio.gather(
        *(connection.call("ECHO", secrets.token_hex(4)) for _ in range(15)), return_exceptions=True
    )
    assert sum(isinstance(outcome, RedisConnectionError) for outcome in outcomes) == 5
    await connection.close()
