"""The worker is killed, or told to stop, with calls in flight: the next one goes on, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from tests.integration.pipeline.pipeline import Pipeline
from tests.integration.pipeline.store import BucketView
from voc_stream import topics

STOP_SECONDS = 30.0


async def test_kill_9_in_the_middle_of_30_calls_loses_nothing_and_shows_nothing_twice(pipeline: Pipeline, bucket: BucketView) -> None:
    words = {"dialogue": "praise_short"}
    wishes: dict[str, dict[str, Any]] = {"stereo": {"count": 20, **words}, "mulaw": {"count": 5, **words}, "silent": {"count": 5}}
    segments = [call for kind, more in wishes.items() for call in await pipeline.record(kind, **more)]
    call_ids = [call["inum"] for call in segments]
    for share in (0.1, 0.6):
        await _until_final(pipeline, call_ids, share)
        pipeline.worker.kill()
        pipeline.worker.start()
    rows = await pipeline.until_settled(call_ids)
    assert {row.results for row in rows.values()} == {1}
    await pipeline.assert_consistent(call_ids)
    hashes = {call["inum"]: call["sha256"] for call in segments}
    assert {call_id: (await bucket.object(str(row.s3_key))).sha256 for call_id, row in rows.items()} == hashes
    assert await pipeline.letters(call_ids) == {}
    # Dedup remembers over the kills: what is there twice is the very same record delivered again, never a second find.
    raw = await pipeline.read(topics.CALLS_RAW, call_ids)
    polled = Counter(record.key for record in await pipeline.read(topics.CALLS_POLLED, call_ids))
    assert {record.key.decode() for record in raw} == set(call_ids)
    assert len({record.value for record in raw}) == len(call_ids)
    assert max(polled.values()) > 1, "no call was found twice: the kills proved nothing of dedup"
    assert len(raw) - len(call_ids) < sum(polled.values()) - len(call_ids)


async def test_sigterm_in_the_middle_ends_in_time_and_in_order_and_leaves_no_upload_open(pipeline: Pipeline, bucket: BucketView) -> None:
    slow = await pipeline.fault("stall", after_bytes=6_000_000, seconds=2)
    long = [call["inum"] for call in await pipeline.record("hold_music", seconds=400, count=2)]
    short = await pipeline.spoken(6)

    async def uploading() -> bool:
        return bool(await bucket.open_uploads())

    await pipeline.until("an upload is under way", uploading)
    assert await asyncio.to_thread(pipeline.worker.stop, STOP_SECONDS) == 0
    assert await bucket.open_uploads() == []
    await pipeline.mend(slow)
    pipeline.worker.start()
    await pipeline.until_settled([*long, *short])
    await pipeline.assert_consistent([*long, *short])
    assert await pipeline.letters([*long, *short]) == {}


async def _until_final(pipeline: Pipeline, call_ids: list[str], share: float) -> None:
    async def reached() -> bool:
        states = await pipeline.audit.states(call_ids)
        return states["SCORED"] + states["NOT_SCORABLE"] >= share * len(call_ids)

    await pipeline.until(f"{share:.0%} of the calls are final", reached)
