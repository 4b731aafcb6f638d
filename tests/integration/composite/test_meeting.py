"""Quality and sentiment meet in PostgreSQL and ClickHouse, also when the worker is killed between the two."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest

from tests.databases import own_schema, own_warehouse
from tests.integration.composite.feeder import COMMITTED, feed
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.composite_table import CompositeTable
from voc_stream.clients.postgres import Database
from voc_stream.devstack.stack import Stack
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.settings import Settings, load_settings

SIDES = ("scored", "heard")


class Stores:
    """Both databases, and what they say of the one call."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings)
        self.warehouse = Warehouse(settings)

    async def feed(self, side: str) -> None:
        await feed(side, self.database, self.warehouse, CompositeTable(self.warehouse))

    async def feed_and_die(self, side: str) -> None:
        """Feed by a process that is killed when PostgreSQL has committed and ClickHouse knows nothing."""
        env = os.environ | {
            "POSTGRES_DSN": self.settings.postgres_dsn.get_secret_value(),
            "CLICKHOUSE_DB": self.settings.clickhouse_db,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.composite.feeder", side, env=env, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert (await asyncio.wait_for(process.stdout.readline(), 60)).split() == [COMMITTED.encode(), b"1"]
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def in_postgres(self) -> tuple[Decimal | None, int] | None:
        async with self.database.connection() as connection:
            row = await connection.fetchrow("SELECT composite, revision FROM call_composite")
        return (row["composite"], row["revision"]) if row else None

    async def in_clickhouse(self) -> list[float | None]:
        return [row["composite"] for row in await self.warehouse.query("SELECT composite FROM call_composite FINAL")]

    async def close(self) -> None:
        await self.warehouse.close()
        await self.database.close()


@pytest.fixture
def migrated(stack: Stack) -> Iterator[Settings]:
    with own_schema(load_settings(postgres_dsn=stack.endpoints["POSTGRES_DSN"])) as settings:
        schema = PostgresSchema(settings)
        with schema.locked(30):
            schema.apply()
        yield settings


@pytest.fixture
async def stores(migrated: Settings, settings: Settings) -> AsyncIterator[Stores]:
    async with own_warehouse(settings) as own:
        warehouse = Warehouse(own)
        schema = ClickHouseSchema(own, warehouse)
        await schema.create_database()
        await schema.apply()
        await warehouse.close()
        lent = Stores(own.model_copy(update={"postgres_dsn": migrated.postgres_dsn}))
        yield lent
        await lent.close()


@pytest.mark.parametrize("order", [SIDES, SIDES[::-1]])
async def test_a_kill_between_commit_and_clickhouse_is_healed_by_the_redelivery(stores: Stores, order: tuple[str, str]) -> None:
    first, second = order
    await stores.feed(first)
    await stores.feed_and_die(second)
    assert await stores.in_postgres() == (Decimal("78.50"), 2)
    assert await stores.in_clickhouse() == []

    await stores.feed(second)
    assert await stores.in_postgres() == (Decimal("78.50"), 2)
    assert await stores.in_clickhouse() == [78.5]


async def test_replays_of_both_sides_leave_one_row_in_each_store(stores: Stores) -> None:
    await asyncio.gather(*(stores.feed(side) for side in SIDES * 5))
    assert await stores.in_postgres() == (Decimal("78.50"), 2)
    assert await stores.in_clickhouse() == [78.5]


async def test_what_was_heard_of_a_call_without_a_score_is_in_clickhouse_only(stores: Stores) -> None:
    await stores.feed("heard")
    assert await stores.in_postgres() is None
    assert await stores.in_clickhouse() == []
