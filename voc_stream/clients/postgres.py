"""PostgreSQL: a pool that opens by itself, and its errors in our own terms (voc_stream.errors)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

import asyncpg

from voc_stream.errors import BusyError, OutageError, OutsideError, RejectedError, TransientError
from voc_stream.settings import Settings

NAME = "postgres"
APPLICATION = "voc-stream"

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

# SQLSTATE classes that speak of the server, not of our statement.
_OUTAGE_CLASSES = {
    "08": "connection lost",
    "28": "refuses our user or password",
    "3D": "the database does not exist; run: faust -A voc_stream migrate",
    "53": "out of resources (disk, memory or connections)",
    "57": "shutting down, starting, or ended our session",
    "58": "system error",
    "XX": "internal error",
}
_OUTAGE_STATES = {
    "25006": "is read-only",
    "42501": "denies our user a right that it needs",
    "42P01": "a table is missing; run: faust -A voc_stream migrate",
    "42703": "a column is missing; run: faust -A voc_stream migrate",
}
_TOO_LONG = "57014"
_LOCKED = "55P03"


class _Plain(asyncpg.Connection):
    """A connection that is not reset when it goes back: nothing here changes a session, and the reset is a round trip for each use."""

    def get_reset_query(self) -> str:
        """Return what to send before the next one gets the connection: nothing."""
        return ""


class Database:
    """A pool of connections, made at first use; the server need not be up before that, and may come and go.

    Args:
        settings: POSTGRES_DSN, POSTGRES_PASSWORD, POSTGRES_POOL_SIZE, POSTGRES_TIMEOUT_SECONDS (of getting a connection, and of each statement).
        session: PostgreSQL's own settings of each connection.
    """

    def __init__(self, settings: Settings, session: Mapping[str, str] | None = None) -> None:
        self._dsn = settings.postgres_dsn.get_secret_value()
        self._password = settings.postgres_password
        self._size = settings.postgres_pool_size
        self._timeout = settings.postgres_timeout_seconds
        self._session = {"application_name": APPLICATION, "timezone": "UTC", **(session or {})}
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection, outside a transaction.

        Raises:
            OutsideError: what `outside_error` makes of the failure, inside the block too.
        """
        pool = await self._opened()
        with translated():
            connection = await self._acquire(pool)
            try:
                yield connection
            finally:
                await pool.release(connection, timeout=self._timeout)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction: committed when the block ends, rolled back when it raises.

        Raises:
            OutsideError: what `outside_error` makes of the failure, inside the block too.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def probe(self) -> None:
        """Ask whether our tables are there and may be written. If nobody answers, no connection that was made before is used again.

        Raises:
            OutsideError: they are not, or nobody answers.
        """
        try:
            async with self.connection() as connection:
                await connection.execute("SELECT FROM call LIMIT 0 FOR UPDATE")  # refused by a server that is read-only
        except OutsideError:
            if self._pool is not None:
                # A firewall that forgot one of them forgot all, and each would take a time-out to say so.
                await self._pool.expire_connections()
            raise

    def renew(self, settings: Settings) -> None:
        """Use the POSTGRES_PASSWORD of these settings for new connections; those that are open stay so. It must have been set from the start."""
        self._password = settings.postgres_password

    async def close(self) -> None:
        """Give all connections back; statements under way are ended after the time-out."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            await asyncio.wait_for(pool.close(), self._timeout)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            pool.terminate()

    async def _opened(self) -> asyncpg.Pool[asyncpg.Record]:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    password=self._current_password if self._password else None,
                    connection_class=_Plain,
                    min_size=0,  # no connection before the first use
                    max_size=self._size,
                    timeout=self._timeout,
                    command_timeout=self._timeout,
                    server_settings=self._session,
                )
            return self._pool

    def _current_password(self) -> str:
        return self._password.get_secret_value()

    async def _acquire(self, pool: asyncpg.Pool[asyncpg.Record]) -> Connection:
        try:
            return await pool.acquire(timeout=self._timeout)
        except TimeoutError:
            raise OutageError(NAME, f"no connection within {self._timeout:g} s") from None


@contextmanager
def translated() -> Iterator[None]:
    """Raise our own errors in place of the driver's."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError, OSError) as error:
        raise outside_error(error) from error


def outside_error(error: Exception) -> OutsideError:
    """Say what to do about a failure of asyncpg or of the network; the reason never quotes a value.

    Returns:
        OutageError (down, full, not migrated), BusyError (took too long), TransientError (conflict) or RejectedError (the data cannot be stored).
    """
    match error:
        case asyncpg.PostgresError():
            return _by_state(error)
        case TimeoutError():
            return BusyError(NAME, "no answer in time")
        case OSError():
            return OutageError(NAME, f"cannot be reached ({type(error).__name__})")
        case asyncpg.InterfaceError() if isinstance(error, ValueError):
            return RejectedError(NAME, "a value does not fit its column's type")
        case _:  # InternalClientError too: a connection is used in the moment in which the server's farewell is read
            return OutageError(NAME, "connection lost")


def _by_state(error: asyncpg.PostgresError) -> OutsideError:
    state: str = getattr(error, "sqlstate", None) or "XX000"
    if state == _TOO_LONG:
        return BusyError(NAME, "statement took too long")
    if state == _LOCKED:
        return TransientError(NAME, "row is locked")
    if outage := _OUTAGE_STATES.get(state) or _OUTAGE_CLASSES.get(state[:2]):
        return OutageError(NAME, f"{outage} ({state})")
    if state[:2] == "40":
        return TransientError(NAME, f"conflict with another transaction ({state})")
    places = (getattr(error, part, None) for part in ("table_name", "column_name", "constraint_name"))
    where = " ".join(place for place in places if place)
    return RejectedError(NAME, f"{type(error).__name__} ({state}){' at ' + where if where else ''}")
