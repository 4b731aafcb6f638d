"""Late, future and out-of-order times: each event is in the month that it says, none is dropped, and what cannot be is a dead letter."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.voc.line import Line
from tests.tally import Tally
from tests.voc import action_value, event_id
from voc_stream.clients.clickhouse import Warehouse

pytestmark = pytest.mark.chaos

EVENTS = 600
YEARS = 10
_MONTHS = """
SELECT toString(event_id) AS id, _partition_id AS month, toYYYYMM(ts) AS of_its_time FROM voc_events WHERE kafka_topic = {topic:String}
"""


async def test_whatever_order_times_come_in_each_event_is_stored_in_its_own_month(line: Line, tally: Tally) -> None:
    chance = random.Random(22)  # noqa: S311 - the same times each run
    now = datetime.now(UTC)
    edge = [now - timedelta(days=days) for days in (0, 1, 31, 366)] + [now + timedelta(hours=hours) for hours in (1, 12, 23)]
    edge += [datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)]
    times = edge + [now - timedelta(seconds=chance.randrange(YEARS * 365 * 86_400)) for _ in range(EVENTS - len(edge))]
    chance.shuffle(times)
    impossible = [action_value(10_000 + number, timestamp=now + timedelta(days=2 + number)) for number in range(3)]
    await line.started()
    await line.write([action_value(number, timestamp=at) for number, at in enumerate(times)] + impossible)
    await line.until_stored(EVENTS)
    await line.until_committed(EVENTS + len(impossible))

    rows = await _stored(line)
    expected = {str(event_id(number)): f"{at:%Y%m}" for number, at in enumerate(times)}
    found = Counter(row["id"] for row in rows)
    tally.count(f"{EVENTS} events of {len(set(expected.values()))} months", lost=len(expected.keys() - found), duplicated=found.total() - len(found))
    assert {row["id"]: row["month"] for row in rows} == expected
    assert [row for row in rows if str(row["of_its_time"]) != row["month"]] == []
    assert len(rows) == EVENTS
    assert {letter.value for letter in await line.letters()} == set(impossible)


async def _stored(line: Line) -> list[dict[str, str]]:
    warehouse = Warehouse(line.settings)
    try:
        return await warehouse.query(_MONTHS, {"topic": line.topic})
    finally:
        await warehouse.close()
