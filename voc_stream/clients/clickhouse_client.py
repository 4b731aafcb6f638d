"""A connection to ClickHouse: statements and rows in, rows out, faults as our own errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from clickhouse_connect.driver import create_async_client, options
from clickhouse_connect.driver.asyncclient import AsyncClient

from voc_stream.clients.clickhouse_faults import translated
from voc_stream.clients.octets import Octets
from voc_stream.settings import Settings

# The driver looks for these libraries at its first insert, and would load 70 MiB of what nothing here uses wherever they happen to be installed.
for _library in ("np", "pd", "pd_time_test", "arrow", "pl"):
    vars(options).setdefault(_library, None)


class ClickHouse:
    """A client, made at first use; the server need not be up before that, and may come and go. Its methods raise `OutsideError`s.

    Args:
        settings: CLICKHOUSE_*.
        query_seconds: the server itself ends a query after so long, also where nobody waits for it any more; None: never.
    """

    def __init__(self, settings: Settings, *, query_seconds: float | None = None) -> None:
        self._settings = settings
        self._each = {} if query_seconds is None else {"max_execution_time": max(1, round(query_seconds))}
        self._client: AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], settings: Mapping[str, Any]) -> None:
        """Insert rows as one block.

        Args:
            table: its name.
            columns: name → type, in the order of the rows.
            rows: at least one.
            settings: of this insert.
        """
        async with self._lent() as client:
            names, types = list(columns), list(columns.values())
            await client.insert(table, rows, column_names=names, column_type_names=types, settings=dict(settings))

    async def insert_block(self, table: str, columns: Sequence[str], block: bytes, settings: Mapping[str, Any]) -> None:
        """Insert a block of the Native format as it is.

        Args:
            table: its name.
            columns: in the block's order.
            block: its bytes.
            settings: of this insert.
        """
        async with self._lent() as client:
            await client.raw_insert(table, columns, cast("Any", Octets(block)), settings=dict(settings), fmt="Native")

    async def query(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a query; its parameters are bound on the server (`{name:Type}`).

        Raises:
            OutsideError: see `outside_error`.
        """
        async with self._lent() as client:
            result = await client.query(statement, parameters=dict(parameters or {}))
            return list(result.named_results())

    async def native(self, statement: str, parameters: Mapping[str, Any] | None = None) -> bytes:
        """Return the rows of a query as blocks of the Native format, all in memory.

        Raises:
            OutsideError: see `outside_error`.
        """
        async with self._lent() as client:
            answer: bytes = await client.raw_query(statement, parameters=dict(parameters or {}), fmt="Native")
            return answer

    async def command(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns no rows.

        Raises:
            OutsideError: see `outside_error`.
        """
        async with self._lent() as client:
            await client.command(statement, parameters=dict(parameters or {}))

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[AsyncClient]:
        """Lend the client; what it raises, and what takes longer than the time-out, comes out as our own errors."""
        with translated():
            async with asyncio.timeout(self._settings.clickhouse_timeout_seconds):
                yield await self._opened()

    async def _opened(self) -> AsyncClient:
        async with self._opening:
            if self._client is None:
                settings = self._settings
                self._client = await create_async_client(
                    host=settings.clickhouse_host,
                    port=settings.clickhouse_port,
                    username=settings.clickhouse_user,
                    password=settings.clickhouse_password.get_secret_value(),
                    database=settings.clickhouse_db,
                    secure=settings.clickhouse_secure,
                    connect_timeout=min(10.0, settings.clickhouse_timeout_seconds),
                    send_receive_timeout=settings.clickhouse_timeout_seconds,
                    client_name="voc-stream",
                    settings=self._each,
                    autogenerate_session_id=False,  # queries of one session exclude each other
                    form_encode_query_params=True,  # a list of days or tenants can be too long for a URL
                )
            return self._client
