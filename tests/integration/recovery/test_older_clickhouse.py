"""ClickHouse is lost and restored as it was: each event once, and what Kafka no longer has is told (docs/backup-and-restore.md)."""

from __future__ import annotations

import time

import pytest

from tests.integration.recovery.centre import TENANT, Centre, figure, say
from tests.integration.recovery.counted import EVENTS, assert_whole, events_of, rows_of
from tests.voc import action_value, event_id
from voc_stream.topics import VOC_ACTIONS, VOC_CALLS, VOC_METRICS

# Run by `make test-growth`.
pytestmark = [pytest.mark.timeout(900), pytest.mark.chaos]

# Of one partition that Kafka loses its records of.
LOST, KEPT = 40, 20


async def test_an_older_clickhouse_gets_its_events_back_once_and_what_kafka_lost_is_told(centre: Centre) -> None:
    await centre.start()
    await centre.write(VOC_CALLS, events_of("k-old", 201, 10), 2)
    await centre.write(VOC_ACTIONS, [action_value(1_000, tenant_id=TENANT)], 7)
    await centre.until_idle()
    folder = await centre.backup("second")

    await centre.write(VOC_ACTIONS, [action_value(2_000 + number, tenant_id=TENANT) for number in range(LOST + KEPT)], 7)
    await centre.record(2)
    await centre.generate(EVENTS)
    assert "events=10 " in await centre.done("forget", "--tenant", TENANT, "--customer", "k-old", "--yes")
    centre.sent -= 10
    await centre.until_idle()
    (newest,) = await centre.query(
        "SELECT kafka_offset AS offset FROM voc_events WHERE event_id = toUUID({id:String})", {"id": str(event_id(2_000 + LOST))}
    )

    await centre.stop()
    await centre.lose_clickhouse()
    lost_at = time.monotonic()
    assert figure(await centre.restore(folder, "--only", "clickhouse"), "forgotten_again") >= 1
    assert await rows_of(centre, "k-old", 201, 10) == 0
    await centre.lose_records(VOC_ACTIONS, 7, newest["offset"])
    code, plan = await centre.faust("rewind")
    assert code == 1
    assert f"{VOC_METRICS}[" in plan
    done = await centre.done("rewind", "--yes")
    lost = int(figure(done, "lost"))
    assert f"{VOC_ACTIONS}[7]: offsets " in done
    assert lost >= LOST

    await centre.start()
    seconds = await centre.until_idle()
    say(f"clickhouse: all is there {time.monotonic() - lost_at:.0f} s after the loss, {seconds:.1f} s of it until the lag is 0")
    await assert_whole(centre, centre.sent - lost + len(centre.calls))
    assert await rows_of(centre, "k-old", 201, 10) == 0
