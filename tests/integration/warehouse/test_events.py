"""Customer events in `voc_events`: each row as its event says, each token once, whatever the tenants."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.voc import PROCESSED_MS, TIMESTAMP, action_value, call_value, event_id, row_of, store
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.stages.annotation import NOTHING, Annotation

SAD = Annotation(-0.5, "rule", "en", "billing", 0.75, "head")


async def only_row(warehouse: Warehouse) -> dict[str, Any]:
    (row,) = await warehouse.query("SELECT * FROM voc_events")
    return row | {name: row[name].replace(tzinfo=UTC) for name in ("ts", "processed_at")}


async def test_a_row_holds_what_the_event_and_its_annotation_say(warehouse: Warehouse) -> None:
    value = call_value(transcript="too dear")
    await store(warehouse, [(value, SAD)], first=7, partition=3)
    assert await only_row(warehouse) == {
        "event_id": event_id(1),
        "tenant_id": "acme",
        "event_type": "call",
        "ts": TIMESTAMP - timedelta(microseconds=456),
        "agent_id": "agent1",
        "call_id": "c1",
        "customer_id": "k1",
        "payload": value.decode(),
        "sentiment": -0.5,
        "sentiment_source": "rule",
        "language": "en",
        "topic": "billing",
        "topic_confidence": 0.75,
        "topic_source": "head",
        "processed_at": datetime.fromtimestamp(PROCESSED_MS / 1000, UTC),
        "kafka_incarnation": "1",
        "kafka_topic": "voc.calls",
        "kafka_partition": 3,
        "kafka_offset": 7,
    }


async def test_what_is_not_known_is_null_or_empty(warehouse: Warehouse) -> None:
    await store(warehouse, [(action_value(), NOTHING)])
    row = await only_row(warehouse)
    assert [row[name] for name in ("sentiment", "topic", "topic_confidence")] == [None, None, None]
    assert [row[name] for name in ("call_id", "customer_id", "language")] == ["", "", ""]


@pytest.mark.parametrize("text", ["", "x" * 200, "x" * 20_000, "x" * 1_000_000, "grün 漢字 \x00 '; DROP TABLE voc_events; --"])
async def test_payloads_of_any_length_and_kind_come_back_as_they_were(warehouse: Warehouse, text: str) -> None:
    value = call_value(transcript=text, customer_id="Müller 漢字")
    await store(warehouse, [(value, SAD), (action_value(2), NOTHING)])
    rows = await warehouse.query("SELECT payload, customer_id FROM voc_events WHERE event_type = 'call'")
    assert rows == [{"payload": value.decode(), "customer_id": "Müller 漢字"}]


async def test_a_token_sent_again_adds_nothing_even_with_other_rows(warehouse: Warehouse) -> None:
    await store(warehouse, [(call_value(1), SAD)])
    await warehouse.insert_events(row_of(call_value(2), 0), "1:voc.calls:0:0-0")
    assert (await only_row(warehouse))["event_id"] == event_id(1)


async def test_no_rows_are_no_trouble(warehouse: Warehouse) -> None:
    await warehouse.insert_events(b"", "t")
    assert await warehouse.query("SELECT * FROM voc_events") == []


@pytest.mark.parametrize("own", [{"clickhouse_partition_by": "month"}, {"clickhouse_partition_by": "tenant"}], indirect=True)
async def test_a_batch_of_five_hundred_tenants_is_stored_once_under_either_partitioning(warehouse: Warehouse) -> None:
    batch = [(action_value(number, tenant_id=f"tenant-{number}"), NOTHING) for number in range(500)]
    for _ in range(2):
        await store(warehouse, batch)
    assert await warehouse.query("SELECT count() AS n, uniqExact(tenant_id) AS tenants FROM voc_events") == [{"n": 500, "tenants": 500}]


async def test_several_inserts_at_once_are_all_stored(warehouse: Warehouse) -> None:
    await asyncio.gather(*(store(warehouse, [(call_value(number), SAD)], partition=number) for number in range(24)))
    assert await warehouse.query("SELECT uniqExact(event_id) AS n FROM voc_events") == [{"n": 24}]


async def test_the_stored_offsets_of_a_range_are_told(warehouse: Warehouse) -> None:
    await store(warehouse, [(call_value(1), SAD), (call_value(2), SAD)], first=10)
    await store(warehouse, [(call_value(3), SAD)], first=14)
    await store(warehouse, [(call_value(4), SAD)], first=13, partition=1)
    assert await warehouse.stored_offsets("1", "voc.calls", 0, 11, 20) == {11, 14}
    assert await warehouse.stored_offsets("2", "voc.calls", 0, 0, 20) == set()
    assert await warehouse.newest_offset("1", "voc.calls", 0) == 14
    assert await warehouse.newest_offset("1", "voc.calls", 2) is None
