"""Partitions grow between two loads, killed at every step: nothing is lost, and copies of what came before are known as such (docs/partitions.md)."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.partitions.growing import Growing, Keyed, by_partition, polled
from tests.integration.voc.test_windows import ids, values
from tests.tally import Tally
from voc_stream import topics

MOMENTS = ("checked", "letters", "changelog", "half the rows", "rows", "topics")
KILLS = (*((moment, topics.EVENTS) for moment in MOMENTS), ("half the rows", topics.CALLS))
# Nothing written but that it begins, and everything written but that it is done.
LOOKED = ("checked", "topics")


def keyed(first: int, count: int) -> Keyed:
    """Return events of fifty calls."""
    return [(b"call-%d" % (number % 50), value) for number, value in enumerate(values(first, count), first)]


@pytest.mark.chaos
@pytest.mark.timeout(900)
async def test_killed_at_every_step_the_growth_goes_on_and_no_event_or_call_is_lost_or_taken_twice(growing: Growing, tally: Tally) -> None:
    line = growing.line
    before, calls = keyed(0, 2000), polled(range(100))
    worker = await growing.worker()
    await growing.send(line.topic, [*before, *before[::20]])
    await growing.send(topics.CALLS_POLLED, calls)
    await line.until_stored(2000)
    await growing.until_drained()
    growing.want(6)

    code, said = await growing.command("partitions", "--apply")
    assert (code, said.count(f"workers are in the group {line.name} (1)")) == (1, 3), said
    assert await asyncio.to_thread(worker.stop) == 0
    await growing.send(line.topic, keyed(2000, 10))
    code, said = await growing.command("partitions", "--apply", "--family", "events")
    assert code == 1
    assert "records are not done with" in said
    assert "nothing altered" in said
    worker = await growing.worker()
    await line.until_stored(2010)
    await growing.until_drained()
    assert await asyncio.to_thread(worker.stop) == 0

    code, said = await growing.command("partitions")
    assert code == 1
    assert "not now" not in said
    for number, (moment, family) in enumerate(KILLS):
        await growing.killed(moment, family)
        if moment not in LOOKED:
            continue
        log = await line.ended(line.start(f"refused-{number}", **growing.environment))
        assert f"voc-stream: the topics of {topics.EVENTS} are growing from 2 to 6 partitions, and that is not finished" in log
        assert "Traceback" not in log
    code, said = await growing.command("partitions", "--apply")
    assert code == 0, said
    assert (await growing.command("partitions"))[0] == 0
    code, said = await growing.command("topics")
    assert code == 0, said

    workers = [await growing.worker("one"), await growing.worker("two")]
    await growing.send(line.topic, [*before, *keyed(2000, 10), *keyed(5000, 1000), *before[:100]])
    await growing.send(topics.CALLS_POLLED, [*calls, *polled(range(1000, 1050))])
    rows = await line.until_stored(3010)
    await growing.until_drained()
    rows = await line.rows()
    wanted = ids(0, 2010) | ids(5000, 1000)
    stored = [row["id"] for row in rows]
    raw = [record.key for record in await growing.records(topics.CALLS_RAW)]
    copies = sum(count for number, count in by_partition(await growing.records(line.topic)).items() if number >= 2)
    tally.count(
        f"{len(stored)} events and {len(raw)} calls over a growth from 2 to 6 partitions, {len(KILLS)} kills",
        lost=len(wanted - set(stored)) + 150 - len(set(raw)),
        duplicated=len(stored) - len(set(stored)) + len(raw) - len(set(raw)),
    )
    assert (len(stored), set(stored)) == (3010, wanted)
    assert (len(raw), len(set(raw))) == (150, 150)
    assert copies > 1000, "most copies came to new partitions, and were known there"
    assert {row["partition"] for row in rows if row["id"] in ids(5000, 1000)} > {0, 1}
    assert [await asyncio.to_thread(each.stop) for each in workers] == [0, 0]


async def test_they_are_never_taken_away_and_grow_to_a_multiple_only(growing: Growing) -> None:
    growing.want(3)
    code, said = await growing.command("partitions", "--apply")
    assert code == 1, said
    assert "events: 2 partitions cannot become 3, only a multiple: 4, 6, 8 ... (KAFKA_EVENT_PARTITIONS)" in said
    assert "recordings: grown from 2 to 3 partitions" in said

    growing.want(1)
    code, said = await growing.command("partitions", "--apply")
    assert code == 1, said
    assert "recordings: audio.ready has 3 partitions and KAFKA_RECORDING_PARTITIONS is 1: they are never taken away; set it to 3" in said
    assert await growing.counts_of([topics.AUDIO_READY, topics.CALLS_RAW, growing.line.topic]) == {
        topics.AUDIO_READY: 3, topics.CALLS_RAW: 2, growing.line.topic: 2,
    }  # fmt: skip
