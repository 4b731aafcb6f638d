"""The engine dies while windows are inserted: when they are sent again, table and views hold each event once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.voc import block_of, call_value
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.stack import Stack
from voc_stream.errors import OutsideError
from voc_stream.schema.clickhouse import ClickHouseSchema
from voc_stream.settings import Settings, load_settings
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.ranges import Place

LANES, WINDOWS, EVENTS = 3, 8, 400
SAD = Annotation(-0.5, "rule", "en", "complaint", 0.75, "head")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Stack]:
    """A ClickHouse of the test's own, to be killed."""
    stack = Stack(tmp_path / "stack", parts=("clickhouse",), any_ports=True)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        StackFolder(stack.folder).remove()


@pytest.fixture
def own(engine: Stack) -> Settings:
    given = {name.lower(): value for name, value in engine.endpoints.items() if name.startswith("CLICKHOUSE_")}
    return load_settings(**given, clickhouse_timeout_seconds=10)


async def test_windows_that_a_kill_cut_off_are_whole_when_they_come_again(engine: Stack, own: Settings, warehouse: Warehouse) -> None:
    schema = ClickHouseSchema(own, warehouse)
    await schema.create_database()
    await schema.apply()

    async def lane(partition: int) -> None:
        for window in range(WINDOWS):
            first = window * EVENTS
            rows = [(call_value(partition * 100_000 + n, agent_id=f"a{n % 50}"), SAD) for n in range(first, first + EVENTS)]
            block = block_of(rows, first, Place("1", "voc.calls", partition))
            while True:
                try:
                    await warehouse.insert_events(block, f"1:voc.calls:{partition}:{first}-{first + EVENTS - 1}")
                    break
                except OutsideError:
                    await asyncio.sleep(0.1)

    async def kill() -> None:
        chance = random.Random(4)  # noqa: S311 - the same pauses each time
        for _ in range(3):
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            await asyncio.to_thread(engine.kill, "clickhouse")
            await asyncio.to_thread(engine.start_part, "clickhouse")

    await asyncio.gather(kill(), *(lane(partition) for partition in range(LANES)))
    stored = LANES * WINDOWS * EVENTS
    assert await warehouse.query("SELECT count() AS n, uniqExact(event_id) AS ids FROM voc_events") == [{"n": stored, "ids": stored}]
    assert await warehouse.view_differences() == []
