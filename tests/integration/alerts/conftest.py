"""A migrated ClickHouse database and PostgreSQL schema of the tests' own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.databases import empty_tables, own_schema
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.postgres import Database
from voc_stream.devstack.stack import Stack
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.settings import Settings, load_settings


@pytest.fixture(scope="package")
def warehouse_settings(stack: Stack) -> Iterator[Settings]:
    """Settings of a ClickHouse database that is migrated once."""
    settings = load_settings(**{name.lower(): value for name, value in stack.endpoints.items() if name.startswith("CLICKHOUSE_")})
    own = settings.model_copy(update={"clickhouse_db": f"test_{uuid.uuid4().hex}"})
    asyncio.run(_migrate(own))
    yield own
    asyncio.run(_drop(own))


@pytest.fixture
async def warehouse(warehouse_settings: Settings) -> AsyncIterator[Warehouse]:
    """That database, without a row."""
    warehouse = Warehouse(warehouse_settings)
    for table in ("voc_events", "voc_minutes"):
        await warehouse.command(f"TRUNCATE TABLE {table}")
    yield warehouse
    await warehouse.close()


async def _migrate(settings: Settings) -> None:
    warehouse = Warehouse(settings)
    schema = ClickHouseSchema(settings, warehouse)
    await schema.create_database()
    await schema.apply()
    await warehouse.close()


async def _drop(settings: Settings) -> None:
    admin = Warehouse(settings.model_copy(update={"clickhouse_db": "default"}))
    await admin.command(f"DROP DATABASE IF EXISTS `{settings.clickhouse_db}`")
    await admin.close()


@pytest.fixture(scope="package")
def schema_settings(stack: Stack) -> Iterator[Settings]:
    with own_schema(load_settings(postgres_dsn=stack.endpoints["POSTGRES_DSN"])) as settings:
        schema = PostgresSchema(settings)
        with schema.locked(30):
            schema.apply()
        yield settings


@pytest.fixture
async def db(schema_settings: Settings) -> AsyncIterator[Database]:
    empty_tables(schema_settings)
    database = Database(schema_settings)
    yield database
    await database.close()
