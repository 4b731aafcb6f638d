"""The sums of customer events: they are what the events say, after replays and crashes, too, and days are exchanged beside live inserts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.voc import PROCESSED_MS, TIMESTAMP, action_value, call_value, row_of, store
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.voc_hold import Hold
from voc_stream.clients.voc_sums import Difference, VocSums
from voc_stream.errors import OutageError, TransientError
from voc_stream.stages.annotation import NOTHING, Annotation

SAD = Annotation(-0.5, "rule", "en", "complaint", 0.75, "head")
GLAD = Annotation(0.25, "rule", "en", "billing", 0.75, "head")
DAY = TIMESTAMP.date()


async def sums(warehouse: Warehouse, by: str) -> list[tuple[Any, ...]]:
    rows = await warehouse.query(
        "SELECT at, key, event_type, sum(events) AS n, sum(scored) AS scored, sum(sentiment_sum) AS feeling, sum(positive) AS p, sum(negative) AS m,"
        " sum(complaints) AS c FROM voc_sums WHERE by = {by:String} GROUP BY at, key, event_type ORDER BY at, key, event_type",
        {"by": by},
    )
    return [tuple(row.values()) for row in rows]


async def two_hours(warehouse: Warehouse) -> None:
    later = TIMESTAMP + timedelta(hours=1)
    await store(warehouse, [(call_value(1), SAD), (call_value(2, agent_id="agent2"), GLAD), (action_value(3), NOTHING)])
    await store(warehouse, [(call_value(4, timestamp=later), GLAD), (call_value(5, timestamp=later), NOTHING)], first=3)


async def test_sums_and_counts_are_by_hour_day_agent_and_topic(warehouse: Warehouse) -> None:
    await two_hours(warehouse)
    day, ten, eleven = (datetime(2026, 11, 22, hour) for hour in (0, 10, 11))  # noqa: DTZ001 - as the driver gives UTC
    half, quarter = Decimal("-0.25"), Decimal("0.25")
    assert await sums(warehouse, "hour") == [
        (ten, "", "agent_action", 1, 0, 0, 0, 0, 0),
        (ten, "", "call", 2, 2, half, 1, 1, 1),
        (eleven, "", "call", 2, 1, quarter, 1, 0, 0),
    ]
    assert await sums(warehouse, "day") == [(day, "", "agent_action", 1, 0, 0, 0, 0, 0), (day, "", "call", 4, 3, 0, 2, 1, 1)]
    assert await sums(warehouse, "agent") == [
        (day, "agent1", "agent_action", 1, 0, 0, 0, 0, 0),
        (day, "agent1", "call", 3, 2, half, 1, 1, 1),
        (day, "agent2", "call", 1, 1, quarter, 1, 0, 0),
    ]
    assert [row[1:5] for row in await sums(warehouse, "topic")] == [
        ("", "agent_action", 1, 0),
        ("", "call", 1, 0),
        ("billing", "call", 2, 2),
        ("complaint", "call", 1, 1),
    ]
    assert await warehouse.view_differences() == []


async def test_a_token_sent_again_changes_neither_table_nor_views(warehouse: Warehouse) -> None:
    for _ in range(3):
        await two_hours(warehouse)
    assert await warehouse.query("SELECT count() AS n FROM voc_events") == [{"n": 5}]
    assert sum(row[3] for row in await sums(warehouse, "agent")) == 5
    assert await warehouse.view_differences() == []


async def test_rows_that_were_cut_off_from_the_views_reach_them_when_the_token_comes_again(warehouse: Warehouse) -> None:
    """Without its feed the table gets the rows alone, as when the engine dies in between."""
    feed = (await warehouse.query("SHOW CREATE TABLE voc_sums_feed"))[0]["statement"]
    await warehouse.command("DROP TABLE voc_sums_feed")
    await store(warehouse, [(call_value(1), SAD)])
    await warehouse.command(feed)
    assert await warehouse.view_differences() == [Difference("acme", DAY, by, 1, 1, 0) for by in ("agent", "day", "hour", "topic")]
    for _ in range(2):
        await store(warehouse, [(call_value(1), SAD)])
        assert await warehouse.view_differences() == []


async def spoil(warehouse: Warehouse, day: date = DAY, tenant: str = "acme") -> None:
    await warehouse.command(
        "INSERT INTO voc_sums (tenant_id, by, at, event_type, events) VALUES ({t:String}, 'day', {d:Date}, 'call', 7)", {"t": tenant, "d": day}
    )


async def test_rebuilt_days_are_what_the_events_say_and_others_stay(warehouse: Warehouse) -> None:
    await two_hours(warehouse)
    other = DAY - timedelta(days=3)
    for day in (DAY, other, DAY - timedelta(days=300)):
        await spoil(warehouse, day)
    await warehouse.rebuild_views([DAY])
    left = {difference.day for difference in await warehouse.view_differences()}
    assert left == {other, DAY - timedelta(days=300)}
    await warehouse.rebuild_views([other, DAY - timedelta(days=300)])
    assert await warehouse.view_differences() == []


async def test_only_the_named_tenants_are_rebuilt(warehouse: Warehouse) -> None:
    await two_hours(warehouse)
    for tenant in ("acme", "globex"):
        await spoil(warehouse, tenant=tenant)
    await warehouse.rebuild_views([DAY], ["acme"])
    assert await warehouse.view_differences() == [Difference("globex", DAY, "day", 1, 0, 7)]
    assert await warehouse.view_differences(tenants=["acme"]) == []
    assert await warehouse.view_differences(days=[DAY - timedelta(days=1)]) == []


async def test_a_token_sent_again_after_its_days_were_rebuilt_changes_nothing(warehouse: Warehouse) -> None:
    await two_hours(warehouse)
    await spoil(warehouse)
    await warehouse.rebuild_views([DAY])
    await two_hours(warehouse)
    assert await warehouse.view_differences() == []


async def test_nothing_is_lost_or_counted_twice_by_rebuilding_beside_live_inserts(warehouse: Warehouse) -> None:
    done = asyncio.Event()

    async def insert(partition: int) -> int:
        sent = 0
        while not done.is_set():
            try:
                await store(warehouse, [(call_value(1000 * partition + sent), SAD)], first=sent, partition=partition)
            except OutageError:
                await asyncio.sleep(0.01)
            else:
                sent += 1
        return sent

    inserting = asyncio.gather(*(insert(partition) for partition in range(3)))
    for _ in range(3):
        await spoil(warehouse)
        await warehouse.rebuild_views([DAY])
    done.set()
    sent = sum(await inserting)
    assert await warehouse.query("SELECT count() AS n, uniqExact(event_id) AS ids FROM voc_events") == [{"n": sent, "ids": sent}]
    assert await warehouse.view_differences() == []


async def test_events_are_refused_as_an_outage_while_somebody_holds_and_accepted_after(warehouse: Warehouse) -> None:
    async with Hold(warehouse).kept():
        with pytest.raises(OutageError, match="while sums are exchanged"):
            await store(warehouse, [(call_value(1), SAD)])
        with pytest.raises(TransientError, match="held already"):
            await warehouse.rebuild_views([DAY])
    await store(warehouse, [(call_value(1), SAD)])
    assert await warehouse.query("SELECT count() AS n FROM voc_events") == [{"n": 1}]


async def test_a_hold_that_ran_out_stops_the_exchange_and_does_not_end_another_ones(warehouse: Warehouse) -> None:
    first = Hold(warehouse)
    async with first.kept():
        await warehouse.command("TRUNCATE TABLE voc_hold")  # as time does
        with pytest.raises(TransientError, match="ran out"):
            await first.check()
        async with Hold(warehouse).kept() as second:
            await first._release()
            await second.check()


async def test_what_differs_is_mended(warehouse: Warehouse) -> None:
    await two_hours(warehouse)
    assert await VocSums(warehouse).mend() == []
    await spoil(warehouse, DAY - timedelta(days=40))
    assert await VocSums(warehouse).mend() == [DAY - timedelta(days=40)]
    assert await warehouse.view_differences() == []


@pytest.mark.parametrize("own", [{"clickhouse_token_window": 100}], indirect=True)
async def test_how_far_back_tokens_are_remembered_follows_from_the_parts_that_were_made(warehouse: Warehouse) -> None:
    async def windows(count: int, hour: int) -> None:
        rows = (row_of(call_value(number), number).replace(_milliseconds(0), _milliseconds(hour)) for number in range(count))
        await asyncio.gather(*(warehouse.insert_events(row, f"{hour}-{number}") for number, row in enumerate(rows)))

    await windows(40, 0)
    assert await warehouse.tokens_since() == datetime(1970, 1, 1, tzinfo=UTC)
    await windows(70, 1)
    processed = datetime.fromtimestamp(PROCESSED_MS / 1000, UTC)
    assert await warehouse.tokens_since() == processed.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _milliseconds(hour: int) -> bytes:
    return (PROCESSED_MS + hour * 3_600_000).to_bytes(8, "little")


async def test_five_hundred_tenants_in_one_insert_reach_the_views(warehouse: Warehouse) -> None:
    rows: Sequence[tuple[bytes, Annotation]] = [(action_value(number, tenant_id=f"tenant-{number}"), NOTHING) for number in range(500)]
    await store(warehouse, rows)
    assert await warehouse.query("SELECT uniqExact(tenant_id) AS n FROM voc_sums WHERE by = 'day'") == [{"n": 500}]
    assert await warehouse.view_differences() == []
