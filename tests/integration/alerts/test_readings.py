"""What the sliding windows hold, from rows in `voc_events` to sums and counts of each tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.alerts.windows import NOW, arrive
from voc_stream.clients.alert_readings import AlertReadings
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.stages.alert_rules import Reading


async def read(warehouse: Warehouse, *windows: int, least: int = 1, now: datetime = NOW) -> list[Reading]:
    found = await AlertReadings(warehouse).read(windows or (15,), least, now)
    return sorted(found, key=lambda reading: (reading.tenant_id, reading.minutes))


async def test_a_window_holds_the_sums_of_what_arrived_in_its_minutes(warehouse: Warehouse) -> None:
    await arrive(warehouse, [-0.5, 0.25], topic="billing")
    await arrive(warehouse, [-1.0], ago=14, topic="complaint")
    await arrive(warehouse, [1.0, 1.0], ago=15)
    assert await read(warehouse) == [Reading("acme", 15, sentiment_sum=-1.25, sentiments=3, complaints=1, topics=3)]


async def test_every_tenant_and_window_is_read_at_once(warehouse: Warehouse) -> None:
    await arrive(warehouse, [-0.5])
    await arrive(warehouse, [0.5, 0.5], ago=30, tenant_id="other")
    await arrive(warehouse, [-0.25], ago=40)
    found = [(reading.tenant_id, reading.minutes, reading.sentiment_sum, reading.sentiments) for reading in await read(warehouse, 15, 60)]
    assert found == [("acme", 15, -0.5, 1), ("acme", 60, -0.75, 2), ("other", 60, 1.0, 2)]


async def test_tenants_with_fewer_events_than_any_rule_wants_are_left_out(warehouse: Warehouse) -> None:
    await arrive(warehouse, [0.5, 0.5])
    await arrive(warehouse, [0.5, 0.5, 0.5], tenant_id="other")
    assert [reading.tenant_id for reading in await read(warehouse, least=3)] == ["other"]


async def test_a_window_that_is_sent_again_counts_once(warehouse: Warehouse) -> None:
    await arrive(warehouse, [-0.5] * 3, topic="complaint", times=3)
    assert await read(warehouse) == [Reading("acme", 15, sentiment_sum=-1.5, sentiments=3, complaints=3, topics=3)]


async def test_a_long_call_counts_when_it_arrives_and_history_does_not(warehouse: Warehouse) -> None:
    await arrive(warehouse, [-0.5], age=90)
    await arrive(warehouse, [1.0], age=7 * 60)
    assert await read(warehouse) == [Reading("acme", 15, sentiment_sum=-0.5, sentiments=1, complaints=0, topics=0)]


async def test_events_without_feeling_and_topic_count_nowhere(warehouse: Warehouse) -> None:
    await arrive(warehouse, [None, None])
    assert await read(warehouse, least=0) == []


async def test_without_rules_nothing_is_asked(warehouse: Warehouse) -> None:
    await warehouse.close()
    assert await AlertReadings(warehouse).read([], 1, NOW) == []


async def test_the_minutes_are_what_the_events_say(warehouse: Warehouse) -> None:
    for ago in range(5):
        await arrive(warehouse, [-0.5, 0.3, None], ago=ago, topic="complaint" if ago % 2 else None, times=2)
    kept = await minutes(warehouse, "voc_minutes")
    assert len(kept) == 5
    assert kept == await minutes(warehouse, "voc_event_minutes")


@pytest.mark.parametrize("skew", [-90, 90])
async def test_a_worker_whose_clock_differs_by_a_minute_counts_all_the_same(warehouse: Warehouse, skew: int) -> None:
    await arrive(warehouse, [-0.5])
    (reading,) = await read(warehouse, now=datetime.fromtimestamp((NOW + timedelta(seconds=skew)).timestamp(), UTC))
    assert reading.sentiments == 1


async def minutes(warehouse: Warehouse, table: str) -> list[dict[str, object]]:
    sums = "sum(scored) AS scored, sum(sentiment_sum) AS total, sum(topics) AS topics, sum(complaints) AS complaints"
    return await warehouse.query(f"SELECT tenant_id, minute, {sums} FROM {table} GROUP BY tenant_id, minute ORDER BY tenant_id, minute")  # noqa: S608


async def test_events_that_were_deleted_leave_the_minutes_when_the_views_are_made_anew(warehouse: Warehouse) -> None:
    for ago in (0, 5, 60 * 24):
        await arrive(warehouse, [-0.5, -0.25], ago=ago, topic="complaint")
        await arrive(warehouse, [0.5], ago=ago, tenant_id="leaving")
    await warehouse.command("ALTER TABLE voc_events DELETE WHERE tenant_id = 'leaving' SETTINGS mutations_sync = 2")
    assert len(await read(warehouse)) == 2

    await warehouse.rebuild_views({NOW.date(), NOW.date() - timedelta(days=1)})
    assert await read(warehouse) == [Reading("acme", 15, sentiment_sum=-1.5, sentiments=4, complaints=4, topics=4)]
    assert await minutes(warehouse, "voc_minutes") == await minutes(warehouse, "voc_event_minutes")


async def test_a_window_that_is_sent_again_after_an_exchange_still_counts_once(warehouse: Warehouse) -> None:
    first = await arrive(warehouse, [-0.5] * 3)
    await warehouse.rebuild_views({NOW.date()})
    await arrive(warehouse, [-0.5] * 3, first=first)
    assert await minutes(warehouse, "voc_minutes") == await minutes(warehouse, "voc_event_minutes")
    assert (await read(warehouse))[0].sentiments == 3
