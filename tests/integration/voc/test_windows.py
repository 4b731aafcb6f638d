"""Windows of customer events on the real stack (docs/adr/0012)."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

from tests.integration.voc.line import Line
from tests.voc import action_value, event_id
from voc_stream.topics import VOC_OVERFLOW


def values(first: int, count: int, **fields: object) -> list[bytes]:
    now = datetime.now(UTC)
    return [action_value(number, **({"timestamp": now} | fields)) for number in range(first, first + count)]


def ids(first: int, count: int) -> set[str]:
    return {str(event_id(number)) for number in range(first, first + count)}


async def test_one_bad_record_of_500_is_a_dead_letter_and_the_last_events_of_a_quiet_stream_are_stored_by_the_timer(line: Line) -> None:
    await line.started()
    good = values(0, 499)
    await line.write([*good[:200], b"{no event", *good[200:]])
    rows = await line.until_stored(499)
    assert {row["id"] for row in rows} == ids(0, 499)
    await line.until_committed(500)
    assert [letter.value for letter in await line.letters()] == [b"{no event"]

    await line.write(values(500, 3))
    rows = await line.until_stored(502)
    assert len(rows) == 502
    await line.until_committed(503)


async def test_a_batch_may_be_of_500_tenants_and_one_full_partition_delays_no_other(line: Line) -> None:
    await line.write([value for number in range(500) for value in values(number, 1, tenant_id=f"tenant-{number}")], partition=1)
    await line.write(values(1000, 20_000, tenant_id="noisy"), partition=0)
    await line.started(BATCH_SIZE_MAX="500")
    behind: list[int] = []

    async def others_are_done() -> bool:
        stored = [row["partition"] for row in await line.rows()]
        behind.append(20_000 - stored.count(0))
        return stored.count(1) == 500

    await line.until(lambda: "500 events of 500 tenants", others_are_done)
    assert behind[-1] > 0, "the noisy one is still at work"
    rows = await line.until_stored(20_500)
    assert len({row["id"] for row in rows}) == len(rows) == 20_500
    assert len({row["tenant_id"] for row in rows}) == 501


async def test_after_kill_9_windows_are_formed_again_and_nothing_is_stored_twice(line: Line) -> None:
    worker = await line.started(BATCH_FLUSH_SECONDS="0.2")
    stream = asyncio.create_task(line.write(values(0, 6000)))
    await line.until_stored(500)
    worker.kill()
    await stream
    await line.started(BATCH_FLUSH_SECONDS="0.2")
    await line.until_committed(6000)
    rows = await line.rows()
    assert len(rows) == 6000
    assert {row["id"] for row in rows} == ids(0, 6000)


async def test_events_of_a_moved_tenant_are_stored_from_the_overflow_topic_once_and_the_others_where_they_are(line: Line) -> None:
    await line.started(VOC_OVERFLOW_TENANTS=line.name, BATCH_FLUSH_SECONDS="0.5")
    moved = values(0, 20, tenant_id=line.name)
    await line.write([*moved, *values(100, 5), moved[3]])
    rows = await line.until_stored(25)
    await line.until_committed(26)

    assert {row["id"] for row in rows if row["topic"] == VOC_OVERFLOW} == ids(0, 20)
    assert {row["id"] for row in rows if row["topic"] == line.topic} == ids(100, 5)
    assert len(rows) == 25


async def test_a_group_set_back_replays_what_it_knows_a_new_group_and_a_topic_made_anew_are_refused(line: Line) -> None:
    worker = await line.started()
    await line.write(values(0, 600))
    await line.until_committed(600)
    await asyncio.to_thread(worker.stop)

    await line.set_offset(250)
    worker = await line.started()
    await line.write(values(600, 10))
    await line.until_committed(610)
    rows = await line.rows()
    assert (len(rows), {row["id"] for row in rows}) == (610, ids(0, 610))
    await asyncio.to_thread(worker.stop)

    await line.make_topics(group=f"{line.name}-2")
    told = await line.ended(line.start("second", KAFKA_GROUP_ID=f"{line.name}-2"))
    # Of its topic or of the shared overflow topic, whichever partition is claimed first.
    assert re.search(r"ClickHouse holds events up to offset \d+ but the group stands at 0 and the ledger knows windows up to -1", told)

    await line.remake_topic()
    await line.write(values(2000, 1))
    told = await line.ended(line.start())
    assert "made anew" in told
    assert len(await line.rows()) == 610
