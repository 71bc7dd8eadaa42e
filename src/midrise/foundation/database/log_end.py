"""Where a server's log ends, asked once for all who need to know at about the same time."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
from sqlalchemy import select

from midrise.foundation.database.errors import CONNECTION_TROUBLE
from midrise.foundation.database.positions import NOWHERE, Position
from midrise.foundation.database.statements import Statement, present_lsn

_PRESENT_LSN = Statement(select(present_lsn().label("lsn")))
_OWN_TURN = None


class LogEnd:
    """Tells whoever has committed a place that covers the commit.

    Any place that was asked for after a commit was acknowledged does. So who comes while a question is under
    way waits until that is answered; then one of those who wait asks for all. Who comes alone asks at once.
    """

    def __init__(self, place: Callable[[int, Any], Position | None]) -> None:
        self._place = place
        self._is_asked = False
        self._waiting: list[asyncio.Future[Position | None]] = []

    async def find(self, connection: Any) -> Position:
        """A place behind all that was committed before; `NOWHERE` where that can't be learnt."""
        if self._is_asked and (told := await self._wait_for_turn()) is not _OWN_TURN:
            return told
        self._is_asked = True
        asking, self._waiting = self._waiting, []
        try:
            row = await connection.fetchrow(_PRESENT_LSN.sql)
            found = self._place(row[0], connection) or NOWHERE
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE):
            # Who waits may have waited long, and would perhaps fare no better.
            found, asking, self._waiting = NOWHERE, asking + self._waiting, []
        except BaseException:
            self._waiting = asking + self._waiting
            self._pass_on()
            raise
        for each in asking:
            if not each.done():
                each.set_result(found)
        self._pass_on()
        return found

    async def _wait_for_turn(self) -> Position | None:
        """What was found for all who wait, or None: then it is one's own turn to ask."""
        turn: asyncio.Future[Position | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.result() is _OWN_TURN:
                # Its turn came when it had just gone away.
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Have the next one ask, for itself and all others who wait by then."""
        self._is_asked = False
        while self._waiting:
            turn = self._waiting.pop(0)
            if not turn.done():
                self._is_asked = True
                turn.set_result(_OWN_TURN)
                return
