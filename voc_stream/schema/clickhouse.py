"""Migrations of ClickHouse: ordered SQL files, applied once each; `${name}` in them is a choice of the settings.

ClickHouse has no transactions over DDL and no locks: each migration is written down before it begins and after it ended, so that one that broke off
is known as such; the lock of PostgreSQL's migrations guards these as well.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Literal

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.errors import OutsideError
from voc_stream.schema.snapshot import differences
from voc_stream.settings import Settings

FOLDER = Path(__file__).parents[2] / "migrations" / "clickhouse"

State = Literal["started", "applied", "rolled back"]

_STATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration
(
    name   String,
    state  LowCardinality(String),
    sha256 String,
    schema String,
    at     DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = MergeTree ORDER BY (name, at)
"""

_RECORD = {"name": "String", "state": "LowCardinality(String)", "sha256": "String", "schema": "String"}

_HISTORY = "SELECT name, argMax(state, at) AS state, argMax(sha256, at) AS sha256 FROM schema_migration GROUP BY name ORDER BY name"

_LAST_SCHEMA = "SELECT schema FROM schema_migration WHERE state != 'started' ORDER BY at DESC LIMIT 1"

_SNAPSHOT = """
SELECT concat('table ', name, ': ', engine_full, ' ', as_select) AS line
FROM system.tables WHERE database = currentDatabase() AND name != 'schema_migration' AND name NOT LIKE '.inner%'
  AND NOT startsWith(name, 'backup_of_')
UNION ALL
SELECT concat('column ', table, '.', name, ' ', type, ' ', default_kind, default_expression) AS line
FROM system.columns WHERE database = currentDatabase() AND table != 'schema_migration' AND table NOT LIKE '.inner%'
  AND NOT startsWith(table, 'backup_of_')
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration as the database remembers it."""

    name: str
    state: State
    sha256: str


class ClickHouseSchema:
    """The schema of CLICKHOUSE_DB, and the migrations that make it. Methods raise `OutsideError`s.

    Args:
        settings: CLICKHOUSE_*, APP_ENV.
        warehouse: a client of that database.
        folder: where the migrations lie.
    """

    def __init__(self, settings: Settings, warehouse: Warehouse, folder: Path = FOLDER) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._folder = folder

    async def create_database(self) -> None:
        """Create the database where it is missing and APP_ENV is dev, and the table that remembers the migrations."""
        if self._settings.app_env == "dev" and self._settings.clickhouse_db != "default":
            anywhere = Warehouse(self._settings.model_copy(update={"clickhouse_db": "default"}))
            try:
                await anywhere.command(f"CREATE DATABASE IF NOT EXISTS `{self._settings.clickhouse_db}`")
            finally:
                await anywhere.close()
        await self._warehouse.command(_STATE_TABLE)

    async def pending(self) -> list[str]:
        """Return the names of the migrations that are not applied, in order."""
        applied = {migration.name for migration in await self._history() if migration.state == "applied"}
        return [name for name in self._digests() if name not in applied]

    async def problems(self) -> list[str]:
        """Return what is not as the applied migrations left it: broken off, unknown or altered migrations, altered schema."""
        files, history = self._digests(), await self._history()
        broken = [f"migration {m.name} began and did not end: finish or undo it by hand, then roll it back" for m in history if m.state == "started"]
        applied = [migration for migration in history if migration.state == "applied"]
        unknown = [f"unknown migration {m.name}: applied, but not in {self._folder.name}/" for m in applied if m.name not in files]
        altered = [f"migration {m.name} was altered after it was applied" for m in applied if files.get(m.name, m.sha256) != m.sha256]
        last = await self._warehouse.query(_LAST_SCHEMA)
        expected = last[0]["schema"].splitlines() if last else []
        drift = [] if broken else differences(expected, await self.snapshot())
        return broken + unknown + altered + drift

    async def apply(self) -> list[str]:
        """Apply what is pending, in order; return the names."""
        pending = await self.pending()
        for name in pending:
            await self._record(name, "started")
            await self._execute(self._folder / f"{name}.sql")
            await self._record(name, "applied")
        return pending

    async def roll_back_one(self) -> str | None:
        """Take the newest migration (or the one that broke off) back; return its name, or None if none is applied."""
        there = [migration.name for migration in await self._history() if migration.state != "rolled back"]
        if not there:
            return None
        name = there[-1]
        await self._record(name, "started")
        await self._execute(self._folder / f"{name}.rollback.sql")
        await self._record(name, "rolled back")
        return name

    async def snapshot(self) -> list[str]:
        """Return the schema as lines."""
        return sorted(" ".join(row["line"].split()) for row in await self._warehouse.query(_SNAPSHOT))

    async def _history(self) -> list[Applied]:
        return [Applied(**row) for row in await self._warehouse.query(_HISTORY)]

    async def _record(self, name: str, state: State) -> None:
        schema = "" if state == "started" else "\n".join(await self.snapshot())
        # As a row, because a whole schema is too long for a URL.
        await self._warehouse.insert("schema_migration", _RECORD, [[name, state, self._digests().get(name, ""), schema]], {"async_insert": 0})

    async def _execute(self, path: Path) -> None:
        for statement in statements(Template(_read(path)).substitute(_choices(self._settings))):
            await self._warehouse.command(statement)

    def _digests(self) -> dict[str, str]:
        files = (path for path in sorted(self._folder.glob("*.sql")) if not path.name.endswith(".rollback.sql"))
        return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def statements(text: str) -> list[str]:
    """Split a migration into its statements: each ends with a semicolon at the end of a line."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [part.strip() for part in f"{code}\n".split(";\n") if part.strip()]


def _choices(settings: Settings) -> dict[str, str]:
    """Return what a migration leaves to the settings: they count when it is applied, and not later."""
    by_tenant = settings.clickhouse_partition_by == "tenant"
    return {
        "partition_by": "(tenant_id, toYYYYMM(ts))" if by_tenant else "toYYYYMM(ts)",
        "token_window": str(settings.clickhouse_token_window),
        "fsync": "0" if settings.app_env == "dev" else "1",
        "database": settings.clickhouse_db,
    }


def _read(path: Path) -> str:
    if not path.exists():
        raise OutsideError("clickhouse", f"there is no {path.name}")
    return path.read_text()
