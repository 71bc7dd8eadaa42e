"""asyncpg's connection, with a shorter way for what it runs again and again.

asyncpg goes through six functions, two closures and three looks at the clock to run a statement, and a pool's
proxy adds another two: together a fifth of what a short statement costs. A statement that is prepared already,
as all are that a repository runs a second time, goes straight to the protocol here. Everything else goes
asyncpg's own way: a first time, another time-out, statements that a change of the schema made invalid.
"""

from typing import Any

import asyncpg

_OUTDATED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
_ALL_ROWS = 0
_FIRST_ROW = 1


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg is untyped
    """Answers the same as asyncpg's, and raises the same."""

    __slots__ = ()

    @property
    def itself(self) -> "Connection":
        """The connection, where what one has is a pool's proxy of it."""
        return self

    async def fetch(self, query: str, *args: object, **options: Any) -> list[asyncpg.Record]:
        prepared = self._find_prepared(query)
        if prepared is None or options:
            return list(await super().fetch(query, *args, **options))
        try:
            rows: list[asyncpg.Record] = await self._protocol.bind_execute(
                prepared, args, portal_name="", limit=_ALL_ROWS, return_extra=False, timeout=None
            )
        except _OUTDATED as outdated:
            await self._prepare_anew(outdated)
            return list(await super().fetch(query, *args))
        return rows

    async def fetchrow(self, query: str, *args: object, **options: Any) -> asyncpg.Record | None:
        prepared = self._find_prepared(query)
        if prepared is None or options:
            return await super().fetchrow(query, *args, **options)
        try:
            rows = await self._protocol.bind_execute(
                prepared, args, portal_name="", limit=_FIRST_ROW, return_extra=False, timeout=None
            )
        except _OUTDATED as outdated:
            await self._prepare_anew(outdated)
            return await super().fetchrow(query, *args)
        return rows[0] if rows else None

    def get_settings(self) -> Any:
        # Of a connection that was cut, asyncpg knows none: an `InterfaceError` says so, like everywhere.
        self._check_open()
        return super().get_settings()

    def _find_prepared(self, query: str) -> Any:
        if self._aborted or self._query_loggers:
            return None
        return self._stmt_cache.get((query, asyncpg.Record, False))

    async def _prepare_anew(self, outdated: asyncpg.PostgresError | asyncpg.InterfaceError) -> None:
        """Forget what was prepared before the schema changed; raises where the statement can't be run again."""
        await self.reload_schema_state()
        if isinstance(outdated, asyncpg.OutdatedSchemaCacheError) or self.is_in_transaction():
            raise outdated
