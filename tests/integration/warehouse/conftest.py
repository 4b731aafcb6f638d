"""A migrated ClickHouse database of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.databases import own_warehouse
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.settings import Settings


@pytest.fixture
async def own(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Settings]:
    """The settings of that database; indirect parameters change them before it is made."""
    async with own_warehouse(settings.model_copy(update=getattr(request, "param", {}))) as own:
        warehouse = Warehouse(own)
        schema = ClickHouseSchema(own, warehouse)
        await schema.create_database()
        await schema.apply()
        await warehouse.close()
        yield own


@pytest.fixture
async def warehouse(own: Settings) -> AsyncIterator[Warehouse]:
    warehouse = Warehouse(own)
    yield warehouse
    await warehouse.close()
