"""`faust -A voc_stream migrate`: apply what is pending to PostgreSQL and ClickHouse, else verify. Nothing is ever altered silently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

import psycopg

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.errors import OutsideError
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.schema.postgres import LockedError, PostgresSchema
from voc_stream.settings import Settings

LOCK_SECONDS = 60.0

Echo = Callable[[str], None]


async def run(
    settings: Settings,
    echo: Echo,
    *,
    roll_back: Literal["postgres", "clickhouse"] | None = None,
    lock_timeout: float = LOCK_SECONDS,
) -> int:
    """Bring both databases up to date; one that is not as its migrations left it is reported and left alone.

    Args:
        settings: POSTGRES_DSN, CLICKHOUSE_*, APP_ENV (a missing database is created in dev only).
        echo: takes each line of the report.
        roll_back: instead, take back the newest migration of this database.
        lock_timeout: how many seconds to wait for another migration to end.

    Returns:
        0: up to date; 1: something differs; 2: a server cannot be reached, another migration is under way, or a migration failed.
    """
    postgres = PostgresSchema(settings)
    warehouse = Warehouse(settings)
    clickhouse = ClickHouseSchema(settings, warehouse)
    try:
        if await asyncio.to_thread(postgres.create_database):
            echo(f"postgres: created database {postgres.database}")
        async with _locked(postgres, lock_timeout):
            await clickhouse.create_database()
            if roll_back:
                return await _roll_back(roll_back, postgres, clickhouse, echo)
            differs = [await _migrate_postgres(postgres, echo), await _migrate_clickhouse(clickhouse, echo)]
            return 1 if any(differs) else 0
    except (OutsideError, LockedError) as error:
        echo(str(error))
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__
        echo(f"postgres: a migration failed and is not applied (docs/migrations.md, When one fails): {reason}")
    finally:
        await warehouse.close()
    return 2


@asynccontextmanager
async def _locked(postgres: PostgresSchema, timeout: float) -> AsyncIterator[None]:  # noqa: ASYNC109  # it bounds the wait for the lock, not the block
    lock = postgres.locked(timeout)
    await asyncio.to_thread(lock.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(lock.__exit__, None, None, None)


async def _migrate_postgres(schema: PostgresSchema, echo: Echo) -> bool:
    problems = await asyncio.to_thread(schema.problems)
    if not problems:
        for name in await asyncio.to_thread(schema.apply):
            echo(f"postgres: applied {name}")
        problems = await asyncio.to_thread(schema.problems)
    return _report("postgres", problems, echo)


async def _migrate_clickhouse(schema: ClickHouseSchema, echo: Echo) -> bool:
    problems = await schema.problems()
    if not problems:
        for name in await schema.apply():
            echo(f"clickhouse: applied {name}")
        problems = await schema.problems()
    return _report("clickhouse", problems, echo)


def _report(database: str, problems: list[str], echo: Echo) -> bool:
    for problem in problems:
        echo(f"{database}: {problem}")
    echo(f"{database}: {len(problems)} differences (nothing altered)" if problems else f"{database}: up to date")
    return bool(problems)


async def _roll_back(database: str, postgres: PostgresSchema, clickhouse: ClickHouseSchema, echo: Echo) -> int:
    name = await (asyncio.to_thread(postgres.roll_back_one) if database == "postgres" else clickhouse.roll_back_one())
    echo(f"{database}: rolled back {name}" if name else f"{database}: nothing to roll back")
    return 0
