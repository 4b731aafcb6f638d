"""Real workers on real Kafka, killed, stopped and joined: no record is lost (issue: the runtime; ADR 0002)."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.integration.runtime.harness import Harness
from tests.tally import Tally


async def test_after_kill_9_a_slow_head_comes_again_and_nothing_is_lost(harness: Harness, tally: Tally) -> None:
    names = await harness.produce(range(16))
    worker = await harness.start(hang="0:0")
    await worker.says("begin 0:0", *(f"work {name}" for name in names - {"0:0"}))
    await harness.copied(names - {"0:0"})
    await worker.ends(signal.SIGKILL)
    committed = await harness.committed()
    assert committed.get(0, 0) == 0, "the position never passes the unresolved head"

    second = await harness.start()
    await second.says("begin 0:0")
    found = await harness.copied(names)
    tally.count(f"{len(names)} records, 1 kill", lost=len(names - found))


async def test_sigterm_ends_within_the_grace_and_unfinished_work_comes_again(harness: Harness) -> None:
    names = await harness.produce(range(8))
    worker = await harness.start(hang="1:3")
    await worker.says("begin 1:3", *(f"work {name}" for name in names - {"1:3"}))
    await harness.copied(names - {"1:3"})
    assert await worker.ends(signal.SIGTERM) == 0
    assert await harness.committed() == {0: 8, 1: 3, 2: 8, 3: 8}, "what was resolved is committed at the stop"

    second = await harness.start()
    await second.says("work 1:3")
    await harness.copied(names)
    assert await second.ends(signal.SIGTERM) == 0
    assert "begin 0:7" not in second.told, "what was committed does not come again"


async def test_a_second_worker_shares_the_partitions_and_no_record_is_lost(harness: Harness) -> None:
    names = await harness.produce(range(50))
    first = await harness.start()
    await first.says("assigned 4", "work 3:49")
    second_starts = asyncio.create_task(harness.start())
    for begin in range(50, 1050, 50):
        names |= await harness.produce(range(begin, begin + 50))
    second = await second_starts
    await asyncio.gather(first.says("assigned 2"), second.says("assigned 2"))
    names |= await harness.produce(range(1050, 1100))
    await harness.copied(names)

    assert await second.ends(signal.SIGTERM) == 0
    names |= await harness.produce(range(1100, 1150))
    await harness.copied(names)
    assert await first.ends(signal.SIGTERM) == 0
    assert await harness.committed() == dict.fromkeys(range(4), 1150)


@pytest.mark.parametrize("record", ["0:0", "2:1"])
async def test_an_unknown_error_ends_the_worker_and_its_record_is_not_passed_until_it_is_mended(harness: Harness, tally: Tally, record: str) -> None:
    names = await harness.produce(range(4))
    partition, offset = map(int, record.split(":"))
    for _ in range(2):
        worker = await harness.start(fail=record)
        assert await worker.ends() != 0
        assert any("ZeroDivisionError" in line for line in worker.complaints)
        assert (await harness.committed()).get(partition, 0) <= offset

    await harness.start()
    found = await harness.copied(names)
    tally.count(f"{len(names)} records, 2 crashes", lost=len(names - found))


async def test_records_that_kafka_dropped_before_they_were_read_stop_the_worker_with_a_line_that_names_them(harness: Harness) -> None:
    names = await harness.produce(range(5))
    worker = await harness.start()
    await harness.copied(names)
    assert await worker.ends(signal.SIGTERM) == 0
    await harness.produce(range(5, 20))
    await harness.delete_records_before(12)

    second = await harness.start()
    assert await second.ends() != 0
    assert any("records 5 to 11 are gone from Kafka" in line for line in second.complaints), second.complaints
