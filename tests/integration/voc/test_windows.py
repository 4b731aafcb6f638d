"""Windows of customer events on the real stack (docs/adr/0012)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from tests.integration.voc.line import Line
from tests.voc import action_value, event_id


def values(first: int, count: int, **fields: object) -> list[bytes]:
    now = datetime.now(UTC)
    return [action_value(number, **({"timestamp": now} | fields)) for number in range(first, first + count)]


def ids(first: int, count: int) -> set[str]:
    return {str(event_id(number)) for number in range(first, first + count)}


async def test_the_last_events_of_a_quiet_stream_are_stored_by_the_timer_and_one_bad_record_of_500_is_a_dead_letter(line: Line) -> None:
    await line.started()
    good = values(0, 499)
    await line.write([*good[:200], b"{no event", *good[200:]])
    rows = await line.until_stored(499)
    assert {row["id"] for row in rows} == ids(0, 499)
    assert [letter.value for letter in await line.letters()] == [b"{no event"]

    await line.write(values(500, 3))
    rows = await line.until_stored(502)
    assert len(rows) == 502
    await line.until_committed(503)


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
