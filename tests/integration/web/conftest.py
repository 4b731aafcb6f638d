"""One world and one process of the people's side on it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.databases import own_schema, own_warehouse
from tests.integration.web.reading_world import World, reading_world
from tests.web_process import WebProcess, web_process
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.stack import Stack
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.schema.postgres import PostgresSchema
from voc_stream.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Front:
    """The running process, and what is behind it."""

    web: WebProcess
    world: World
    settings: Settings
    folder: Path


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def front(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    patch = pytest.MonkeyPatch()
    patch.setenv("STACK_DIR", str(stack.folder.absolute()))
    try:
        with own_schema(load_settings()) as settings:
            schema = PostgresSchema(settings)
            with schema.locked(30):
                schema.apply()
            async with own_warehouse(settings) as own:
                warehouse = Warehouse(own)
                clickhouse = ClickHouseSchema(own, warehouse)
                await clickhouse.create_database()
                await clickhouse.apply()
                await warehouse.close()
                async with reading_world(own) as world:
                    with web_process(own, folder) as web:
                        yield Front(web, world, own, folder)
    finally:
        patch.undo()
