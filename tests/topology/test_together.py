"""Things done side by side."""

import asyncio

import pytest

from midrise.topology.errors import CannotStart, Refused
from midrise.topology.together import together


def test_all_are_done_at_the_end() -> None:
    done = []

    async def work(number: int) -> None:
        done.append(number)

    async def life() -> None:
        async with together() as group:
            for number in range(3):
                group.create_task(work(number))

    asyncio.run(life())
    assert done == [0, 1, 2]


def test_the_first_refusal_ends_the_others_and_is_what_is_raised() -> None:
    ended = []

    async def refuse() -> None:
        raise CannotStart("no disk")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def life() -> None:
        async with together() as group:
            group.create_task(wait())
            group.create_task(refuse())

    with pytest.raises(CannotStart, match="no disk"):
        asyncio.run(life())
    assert ended == [True]


def test_a_refusal_of_the_body_is_raised_as_it_is() -> None:
    async def life() -> None:
        async with together():
            raise Refused("not now")

    with pytest.raises(Refused, match="not now"):
        asyncio.run(life())
