"""ClickHouse's tables as files of rows, taken at one moment, and back again (docs/backup-and-restore.md).

For that moment inserts of events are held and every table is cloned, which copies no row: parts are linked. The clones are read at leisure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.voc_hold import Hold

# Rows in one file, which is held in memory while it is written and read.
ROWS = 200_000
CLONE = "backup_of_"

_TABLES = """
SELECT name, engine, create_table_query AS ddl FROM system.tables
WHERE database = currentDatabase() AND NOT is_temporary AND name NOT LIKE '.inner%' AND NOT startsWith(name, {clone:String}) ORDER BY name
"""
_MIGRATIONS = "SELECT name FROM schema_migration GROUP BY name HAVING argMax(state, at) = 'applied' ORDER BY name"
_LEFT = "SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {clone:String})"
_PARTS = "SELECT name, toInt64(rows) AS rows FROM system.parts WHERE database = currentDatabase() AND table = {table:String} AND active ORDER BY name"
_COLUMNS = """
SELECT name FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} AND default_kind NOT IN ('ALIAS', 'MATERIALIZED') ORDER BY position
"""
# No token is made or looked for, no row is merged on its way in, and any number of months may come in one block.
_AS_IT_IS = {"async_insert": 0, "insert_deduplicate": 0, "optimize_on_insert": 0, "max_partitions_per_insert_block": 0}
# Merges make it (voc_stream/clients/clickhouse.py).
_WORDS_LATER = {"exclude_materialize_skip_indexes_on_insert": "transcript_words"}
_MADE_LAST = "MaterializedView"


class Table(msgspec.Struct, frozen=True):
    """A table, and how it is made."""

    name: str
    engine: str
    ddl: str

    @property
    def has_rows(self) -> bool:
        """Whether its rows are kept: of views nothing is, what is made anew before an exchange is empty, and a hold ends by itself."""
        return self.engine.endswith("MergeTree") and not self.name.endswith("_rebuilt")

    @property
    def rank(self) -> int:
        """What others refer to comes first; what feeds tables from others comes when their rows are there."""
        return {"Join": 0, "View": 2, _MADE_LAST: 3}.get(self.engine, 1)


class Content(msgspec.Struct, frozen=True):
    """What a table holds: how many rows, and the sum of their hashes."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of a clone that make one file: whole parts, or (`first` to before `end`) some of one."""

    parts: Sequence[str]
    first: int = 0
    end: int = 1 << 62


class TableDump:
    """Reads and writes a database. Its methods raise `OutsideError`s.

    Args:
        client: of the database, with a time-out that suits its largest table.
    """

    def __init__(self, client: ClickHouse) -> None:
        self._client = client

    async def migrations(self) -> tuple[str, ...]:
        """Return the migrations that are applied."""
        return tuple(row["name"] for row in await self._client.query(_MIGRATIONS))

    async def tables(self) -> list[Table]:
        """Return every table and view, those first that others refer to."""
        found = [Table(**row) for row in await self._client.query(_TABLES, {"clone": CLONE})]
        return sorted(found, key=lambda table: (table.rank, table.name))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[list[Table]]:
        """Lend the tables as they are at one moment between two windows: the clones of those that have rows stay until the block ends."""
        await self._drop_clones()
        tables = await self.tables()
        try:
            async with Hold(self._client).kept() as hold:
                for table in tables:
                    if table.has_rows:
                        await self._client.command(f"CREATE TABLE `{CLONE}{table.name}` CLONE AS `{table.name}`")
                await hold.check()
            for table in tables:
                if table.has_rows:
                    await self._client.command(f"SYSTEM STOP MERGES `{CLONE}{table.name}`")
            yield tables
        finally:
            await self._drop_clones()

    async def stretches(self, table: str) -> list[Stretch]:
        """Return what of a table's clone goes into which file."""
        parts = [(row["name"], row["rows"]) for row in await self._client.query(_PARTS, {"table": f"{CLONE}{table}"})]
        return list(stretches_of(parts))

    async def read(self, table: str, stretch: Stretch) -> bytes:
        """Return the rows of a stretch of a table's clone, in blocks of the Native format."""
        columns = ", ".join(f"`{name}`" for name in await self._columns(f"{CLONE}{table}"))
        where = "_part IN {parts:Array(String)} AND _part_offset >= {first:UInt64} AND _part_offset < {end:UInt64}"
        given = {"parts": list(stretch.parts), "first": stretch.first, "end": stretch.end}
        return await self._client.native(f"SELECT {columns} FROM `{CLONE}{table}` WHERE {where}", given)  # noqa: S608 - names of our tables

    async def content(self, table: str, *, clone: bool) -> Content:
        """Return what a table, or its clone, holds; merges must be off."""
        name = f"{CLONE}{table}" if clone else table
        columns = ", ".join(f"`{column}`" for column in await self._columns(name))
        statement = f"SELECT toInt64(count()) AS rows, toString(sum(sipHash64(formatRow('RowBinary', {columns})))) AS digest FROM `{name}`"  # noqa: S608
        (row,) = await self._client.query(statement)
        return Content(**row)

    async def make(self, table: Table) -> None:
        """Make a table or view as it was. Nothing of its rows is merged until `finish`."""
        await self._client.command(table.ddl)
        if table.has_rows:
            await self._client.command(f"SYSTEM STOP MERGES `{table.name}`")

    async def write(self, table: str, block: bytes) -> None:
        """Insert rows as they are, past duplicates' detection."""
        later = _WORDS_LATER if table == "voc_events" else {}
        await self._client.insert_block(table, await self._columns(table), block, {**_AS_IT_IS, **later})

    async def finish(self, table: str) -> None:
        """Let a table's rows be merged."""
        await self._client.command(f"SYSTEM START MERGES `{table}`")

    async def _columns(self, table: str) -> list[str]:
        return [row["name"] for row in await self._client.query(_COLUMNS, {"table": table})]

    async def _drop_clones(self) -> None:
        for row in await self._client.query(_LEFT, {"clone": CLONE}):
            await self._client.command(f"DROP TABLE IF EXISTS `{row['name']}` SYNC")


def is_made_last(table: Table) -> bool:
    """Whether a table feeds others: it is made when their rows are there."""
    return table.engine == _MADE_LAST


def stretches_of(parts: Sequence[tuple[str, int]]) -> Iterator[Stretch]:
    """Put small parts together, and take large ones apart."""
    together: list[str] = []
    held = 0
    for name, rows in parts:
        if rows > ROWS:
            yield from (Stretch([name], first, min(first + ROWS, rows)) for first in range(0, rows, ROWS))
            continue
        if held + rows > ROWS:
            yield Stretch(together)
            together, held = [], 0
        together, held = [*together, name], held + rows
    if together:
        yield Stretch(together)
