"""A worker dies when dedup has remembered a call and not yet passed it on: the redelivery is no duplicate, and passes once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.integration.pipeline.pipeline import Pipeline
from tests.tally import Tally
from voc_stream import topics

pytestmark = pytest.mark.chaos


async def test_a_call_that_dedup_remembered_before_the_crash_is_passed_on_once(pipeline: Pipeline, tally: Tally) -> None:
    # What is not of this very millisecond is refused: `calls.raw` takes nothing, while the table's changelog does.
    await _configure(pipeline, {"message.timestamp.before.max.ms": "0"})
    try:
        call_ids = await pipeline.spoken(6)
        changelog = f"{pipeline.settings.kafka_group_id}-{topics.CALLS_SEEN}-changelog"
        remembered: set[str] = set()

        async def written() -> bool:
            # Not of all: the first refusals close Kafka's gate to the others.
            remembered.update(record.key.decode() for record in await pipeline.read(changelog, call_ids))
            return bool(remembered)

        await pipeline.until("dedup remembers a call", written)
        assert await pipeline.read(topics.CALLS_RAW, call_ids) == []
        pipeline.worker.kill()
    finally:
        await _configure(pipeline, {})
    pipeline.worker.start()
    await pipeline.until_settled(call_ids)
    passed = [record.key.decode() for record in await pipeline.read(topics.CALLS_RAW, call_ids)]
    tally.count(
        f"{len(call_ids)} calls, {len(remembered)} of them remembered, 1 kill",
        lost=len(set(call_ids) - set(passed)),
        duplicated=len(passed) - len(set(passed)),
    )
    assert sorted(passed) == sorted(call_ids)
    await pipeline.assert_consistent(call_ids)


async def _configure(pipeline: Pipeline, more: Mapping[str, str]) -> None:
    (topic,) = [topic for topic in topics.CALLS_PIPELINE if topic.name == topics.CALLS_RAW]
    # The request sets all of a topic's configuration: what is not in it falls back to the broker's.
    wanted = topic.config(1) | dict(more)
    admin = AIOKafkaAdminClient(bootstrap_servers=list(pipeline.settings.kafka_bootstrap))
    await admin.start()
    try:
        (answer,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, wanted)])
        assert [code for code, *_ in answer.resources] == [0]
    finally:
        await admin.close()
