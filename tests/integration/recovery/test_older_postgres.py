"""PostgreSQL is lost and restored as it was: nothing is lost, nothing is there twice, and who was forgotten stays so (docs/backup-and-restore.md)."""

from __future__ import annotations

import time

import pytest

from tests.integration.recovery.centre import TENANT, Centre, figure, say
from tests.integration.recovery.counted import EVENTS, assert_whole, events_of, rows_of, spoken
from voc_stream.topics import VOC_CALLS

pytestmark = pytest.mark.timeout(900)


async def test_an_older_postgres_gets_its_calls_back_and_knows_who_was_forgotten_since(centre: Centre) -> None:
    await centre.start()
    await centre.record(3)
    await centre.write(VOC_CALLS, events_of("k-gone", 1, 10), 1)
    await centre.generate(EVENTS)
    await centre.until_idle()
    folder = await centre.backup("first")

    await centre.record(2)
    await centre.write(VOC_CALLS, events_of("k-here", 101, 5), 1)
    await centre.generate(EVENTS // 3)
    assert "events=10 " in await centre.done("forget", "--tenant", TENANT, "--customer", "k-gone", "--yes")
    centre.sent -= 10
    await centre.done("restrict", "do-not-score", "--tenant", TENANT, "--call", "7", "--reason", "objected")
    await centre.until_idle()
    assert await spoken(centre) == 5
    code, refusal = await centre.faust("rewind")
    assert (code, "stop all workers" in refusal) == (1, True)
    assert refusal.strip().splitlines()[-1].startswith("voc-stream: kafka: ")

    await centre.stop()
    centre.lose_postgres()
    lost_at = time.monotonic()
    restored = await centre.restore(folder, "--only", "postgres")
    assert figure(restored, "forgotten_again") == 1
    assert "do_not_score, call 7" in await centre.done("restrictions")
    again, _ = await centre.faust("restore", str(folder), "--only", "postgres")
    assert again == 1
    code, plan = await centre.faust("rewind")
    assert (code, "calls.raw[" in plan) == (1, True)
    assert "voc.metrics" not in plan
    done = await centre.done("rewind", "--yes")
    assert figure(done, "calls_again") >= 2
    assert figure(done, "lost") == 0

    await centre.start()
    async with centre.eyes() as pipeline:
        await pipeline.until_settled(centre.calls)
        (forgotten,) = await pipeline.rows("SELECT count(*) AS rows FROM forgotten WHERE scope = 'customer'")
    seconds = await centre.until_idle()
    say(f"postgres: all is there {time.monotonic() - lost_at:.0f} s after the loss, {seconds:.1f} s of it until the lag is 0")
    assert forgotten["rows"] == 1
    await assert_whole(centre, centre.sent + len(centre.calls))
    assert await rows_of(centre, "k-gone", 1, 10) == 0
