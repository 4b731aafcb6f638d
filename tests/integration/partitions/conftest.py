"""A line whose partitions may grow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import own_schema, own_warehouse
from tests.integration.partitions.broker import own_broker
from tests.integration.partitions.growing import Growing
from tests.integration.pipeline.own_processes import recorder_process
from tests.integration.voc.line import Line
from voc_stream import migrate
from voc_stream.devstack.stack import Stack
from voc_stream.settings import Settings


@pytest.fixture
async def growing(stack: Stack, settings: Settings, tmp_path: Path) -> AsyncIterator[Growing]:
    """On a broker and with a recorder of its own, both empty; every topic has two partitions."""
    folders = tmp_path / "kafka", tmp_path / "recorder"
    for folder in folders:
        folder.mkdir()
    lines: list[str] = []
    with own_schema(settings) as with_schema, recorder_process(folders[1]) as recorder:
        async with own_warehouse(with_schema) as own, own_broker(folders[0]) as broker:
            assert await migrate.run(own, lines.append) == 0, lines
            counts = {"kafka_call_partitions": 2, "kafka_recording_partitions": 2, "kafka_event_partitions": 2}
            line = Line(stack, own.model_copy(update={"kafka_bootstrap": (broker,), **counts}), tmp_path)
            line.settings = line.settings.model_copy(
                update={"kafka_group_id": line.name, "kafka_topics": (line.topic,), "kafka_incarnation": line.name}
            )
            await line.make_topics()
            made = Growing(line, recorder)
            made.want(2)
            try:
                yield made
            finally:
                await line.tidy()
