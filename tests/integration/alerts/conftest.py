"""A migrated ClickHouse database and PostgreSQL schema of the tests' own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.databases import empty_tables, own_schema, own_warehouse
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.postgres import Database
from voc_stream.devstack.stack import Stack
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.settings import Settings, load_settings


@pytest.fixture
async def warehouse(settings: Settings) -> AsyncIterator[Warehouse]:
    async with own_warehouse(settings) as own:
        warehouse = Warehouse(own)
        schema = ClickHouseSchema(own, warehouse)
        await schema.create_database()
        await schema.apply()
        yield warehouse
        await warehouse.close()


@pytest.fixture(scope="module")
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
