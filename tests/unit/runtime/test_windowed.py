"""Partitions of customer events in memory: when a window closes, what is resolved when, and what ends a lane."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from faust.types import TP

from tests.calls import NOW
from tests.unit.runtime.world import Batch, idle, record
from tests.voc import action_value
from voc_stream.errors import OutageError, RejectedError
from voc_stream.events.voc import VocEvent, decode_voc
from voc_stream.runtime import window_lane
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.lease import Lease
from voc_stream.runtime.ledger import PartitionLedger
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.window_lane import WindowRules, closes_after
from voc_stream.runtime.window_performer import WindowTools
from voc_stream.runtime.windowed import WindowedRunner
from voc_stream.stages.annotation import NOTHING, Annotation

NEVER = 1e6
# How a payload begins.
_BEGINS = b'{"event_id"'


class World:
    """Everything around a runner; ClickHouse refuses the payload `rejected`; `faults` and `full` are raised by the next inserts and rows."""

    def __init__(self) -> None:
        self.inserts: list[tuple[str, int]] = []
        self.stored: list[bytes] = []
        self.faults: deque[Exception] = deque()
        self.full: deque[Exception] = deque()
        self.rejected: bytes | None = None
        self.held = asyncio.Event()
        self.held.set()
        self.rows_written: dict[bytes, bytes] = {}
        self.letters: list[Outgoing] = []
        self.crashes: list[BaseException] = []
        self.changed = asyncio.Event()
        self.gates = {name: Gate(name, self.well, sleep=self.no_time) for name in ("clickhouse", "kafka", "postgres", "state")}
        self.locks: dict[int, asyncio.Lock] = {}

    async def well(self) -> None:
        pass

    async def no_time(self, _seconds: float) -> None:
        await asyncio.sleep(0)

    # ClickHouse

    async def insert_events(self, block: bytes, token: str) -> None:
        await self.held.wait()
        rows = [_BEGINS + rest for rest in block.split(_BEGINS)[1:]]
        self.inserts.append((token, len(rows)))
        self.changed.set()
        if self.faults:
            raise self.faults.popleft()
        if self.rejected is not None and any(self.rejected in row for row in rows):
            raise RejectedError("clickhouse", "no")
        self.stored += rows

    async def stored_offsets(self, *_: Any) -> set[int]:
        return set()

    async def newest_offset(self, *_: Any) -> int | None:
        return None

    async def rebuild_views(self, days: Sequence[date]) -> None:
        raise NotImplementedError

    # the ledger

    def writer(self, partition: int) -> asyncio.Lock:
        return self.locks.setdefault(partition, asyncio.Lock())

    def rows(self, _partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter([(key, value) for key, value in sorted(self.rows_written.items()) if key.startswith(prefix)])

    def get(self, _partition: int, key: bytes) -> bytes | None:
        return self.rows_written.get(key)

    async def send(self, _partition: int, entries: Sequence[tuple[bytes, bytes | None]]) -> int:
        await asyncio.sleep(0)
        return len(entries)

    def keep(self, _partition: int, entries: Sequence[tuple[bytes, bytes | None]], _offset: int) -> None:
        if self.full:
            raise self.full.popleft()
        self.rows_written |= {key: value for key, value in entries if value is not None}

    # Kafka

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        self.letters += records
        return [0] * len(records)

    def rewind(self, tp: TP, offset: int) -> None:
        raise NotImplementedError

    def committed(self, _tp: TP) -> int:
        return 0

    async def end(self, _tp: TP) -> int:
        return 1_000_000

    async def crash(self, error: BaseException) -> None:
        self.crashes.append(error)
        self.changed.set()

    async def annotate(self, events: Sequence[VocEvent]) -> list[Annotation]:
        return [NOTHING] * len(events)

    def runner(self, *, size: int = 5, size_max: int = 20, flush_seconds: float = NEVER) -> WindowedRunner:
        lease = Lease(clock=lambda: 0.0)
        lease._sign = lease._sign._replace(generation=0, sent=0.0)
        rules = WindowRules(
            incarnation="1", size=size, flush_seconds=flush_seconds, size_max=size_max, dedup_seconds=86_400, token_seconds=600,
            decode=decode_voc, refuse=lambda _now: lambda _event: None, annotator=self,
        )  # fmt: skip
        tools = WindowTools(
            warehouse=self, ledger=self, publisher=self, reading=self, lease=lease, gates=self.gates, overflow_topic="overflow", hooks=(),
            now=lambda: NOW,
        )  # fmt: skip
        return WindowedRunner(rules, tools, most_ids=1000, crash=self.crash, sleep=self.no_time)

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    for gate in made.gates.values():
        await gate.stop()


def batch(first: int, count: int, *, bad: int | None = None, ids: int | None = None, ledger: PartitionLedger | None = None, behind: int = 0) -> Batch:
    begin = first if ids is None else ids
    values = [b"{" if offset == bad else action_value(begin + offset - first) for offset in range(first, first + count)]
    return Batch([record(first + place, value) for place, value in enumerate(values)], ledger, behind=behind)


async def test_a_window_closes_at_its_size_and_what_is_beyond_waits(world: World) -> None:
    runner, whole, rest = world.runner(), batch(0, 5), batch(5, 3)
    runner.accept(whole.records)
    await world.until(lambda: whole.position == 5)
    runner.accept(rest.records)
    for _ in range(50):
        await asyncio.sleep(0)
    assert world.inserts == [("1:notes:0:0-4", 5)]
    assert runner.waiting_records() == 3
    await runner.quiesce(0.0)
    assert rest.position == 5


async def test_a_window_closes_by_the_timer_when_nothing_more_comes(world: World) -> None:
    runner, few = world.runner(flush_seconds=0.01), batch(0, 3)
    runner.accept(few.records)
    await world.until(lambda: few.position == 3)
    assert world.inserts == [("1:notes:0:0-2", 3)]
    await runner.quiesce(0.0)


@pytest.mark.parametrize("since", [0.0, 63_123.4, 1e7 + 0.9])
def test_windows_of_partitions_that_wake_together_close_one_after_the_other_and_none_later_than_its_time(since: float) -> None:
    first = sorted(closes_after(2.0, partition, since) for partition in range(12))
    assert first[0] > 0
    assert first[-1] <= 2.0
    assert min(later - sooner for sooner, later in pairwise(first)) > 0.05


def test_under_a_steady_load_a_partition_s_windows_close_a_whole_time_apart() -> None:
    closed = 100.0 + closes_after(2.0, 5, 100.0)
    assert closes_after(2.0, 5, closed + 0.001) == pytest.approx(1.999)


async def test_under_backlog_a_window_takes_what_waits_up_to_its_bound(world: World) -> None:
    runner, backlog = world.runner(), batch(0, 50)
    runner.accept(backlog.records)
    await world.until(lambda: backlog.position >= 40)
    assert [count for _, count in world.inserts][:2] == [20, 20]
    await runner.quiesce(0.0)


async def test_with_a_backlog_in_kafka_a_window_waits_for_more_than_its_size(world: World) -> None:
    runner, ledger = world.runner(), PartitionLedger(0, max_records=1000, max_bytes=1 << 20)
    for first in range(0, 25, 5):
        runner.accept(batch(first, 5, ledger=ledger, behind=100).records)
        await asyncio.sleep(0)
    await world.until(lambda: ledger.position() == 20)
    assert world.inserts == [("1:notes:0:0-19", 20)]
    await runner.quiesce(0.0)


async def test_what_does_not_come_soon_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_lane, "SOON_SECONDS", 0.01)
    runner, one = world.runner(), batch(0, 5, behind=100)
    runner.accept(one.records)
    await world.until(lambda: one.position == 5)
    await runner.quiesce(0.0)


async def test_a_partition_that_may_not_be_fetched_from_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_lane, "SOON_SECONDS", NEVER)
    runner, one = world.runner(), batch(0, 5, ledger=PartitionLedger(0, max_records=5, max_bytes=1 << 20), behind=100)
    runner.accept(one.records)
    await world.until(lambda: one.position == 5)
    await runner.quiesce(0.0)


async def test_nothing_is_resolved_before_the_insert_has_answered_and_then_all_of_the_window(world: World) -> None:
    world.held.clear()
    runner, one = world.runner(), batch(0, 5, bad=2)
    runner.accept(one.records)
    for _ in range(50):
        await asyncio.sleep(0)
    assert (one.position, world.letters) == (0, [])
    world.held.set()
    await world.until(lambda: one.position == 5)
    assert [letter.topic for letter in world.letters] == ["notes.dlq"]
    assert len(world.stored) == 4
    await runner.quiesce(0.0)


async def test_of_a_window_that_is_done_with_nothing_is_held_until_the_next_one(world: World) -> None:
    runner = world.runner()

    async def stored() -> weakref.ref[Any]:
        whole = batch(0, 5)
        runner.accept(whole.records)
        await world.until(lambda: whole.position == 5)
        return weakref.ref(whole.records.records[0])

    first = await stored()
    await idle()
    assert first() is None
    await runner.quiesce(0.0)


async def test_an_insert_is_repeated_with_the_same_token_through_lost_replies_and_outages(world: World) -> None:
    world.faults.extend(OutageError("clickhouse", "gone") for _ in range(4))
    runner, one = world.runner(), batch(0, 5)
    runner.accept(one.records)
    await world.until(lambda: one.position == 5)
    assert world.inserts == [("1:notes:0:0-4", 5)] * 5
    await runner.quiesce(0.0)


async def test_of_a_window_that_clickhouse_rejects_only_the_row_at_fault_becomes_a_dead_letter(world: World) -> None:
    bad = decode_voc(action_value(3)).event_id
    world.rejected = str(bad).encode()
    runner, one = world.runner(), batch(0, 5)
    runner.accept(one.records)
    await world.until(lambda: one.position == 5)
    assert len(world.stored) == 4
    assert [(letter.topic, letter.value) for letter in world.letters] == [("notes.dlq", action_value(3))]
    await runner.quiesce(0.0)


async def test_a_copy_is_dropped_in_the_same_window_and_in_a_later_one(world: World) -> None:
    runner, first, second = world.runner(), batch(0, 5), batch(5, 5, ids=3)
    runner.accept(first.records)
    runner.accept(second.records)
    await world.until(lambda: second.ledger.position() == 10 or second.position == 10)
    assert len(world.stored) == 8
    await runner.quiesce(0.0)


async def test_a_stop_ends_at_once_what_waits_for_clickhouse_and_its_records_stay_unacknowledged(world: World) -> None:
    async def never(_seconds: float) -> None:
        await asyncio.Event().wait()

    gate = world.gates["clickhouse"] = Gate("clickhouse", world.well, sleep=never)
    gate.close(OutageError("clickhouse", "down"))
    runner, one = world.runner(), batch(0, 5)
    runner.accept(one.records)
    for _ in range(50):
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await runner.quiesce(NEVER)
    assert (one.position, world.inserts) == (0, [])


async def test_an_error_that_nobody_knows_ends_the_worker(world: World) -> None:
    world.faults.append(ZeroDivisionError())
    runner, one = world.runner(), batch(0, 5)
    runner.accept(one.records)
    await world.until(lambda: world.crashes)
    assert isinstance(world.crashes[0], ZeroDivisionError)
    assert one.position == 0


async def test_a_partition_taken_again_knows_its_windows_and_sends_the_unfinished_one_with_its_token(world: World) -> None:
    world.held.clear()
    runner, one = world.runner(), batch(0, 3)
    fast = world.runner(flush_seconds=0.01)
    fast.accept(one.records)
    await world.until(lambda: len(world.rows_written) == 2)
    await fast.quiesce(0.0)
    world.held.set()

    again = batch(0, 9)
    runner.accept(again.records)
    await world.until(lambda: len(world.inserts) == 2)
    assert world.inserts == [("1:notes:0:0-2", 3), ("1:notes:0:3-8", 6)]
    await runner.quiesce(0.0)


async def test_rows_that_find_no_room_on_the_disk_are_kept_when_there_is_some_before_anything_is_inserted(world: World) -> None:
    world.full.extend(OutageError("state", "no space is left") for _ in range(4))
    runner, one = world.runner(), batch(0, 5)
    runner.accept(one.records)
    await world.until(lambda: one.position == 5)
    assert len(world.rows_written) == 2, "the claim and the window"
    assert world.inserts == [("1:notes:0:0-4", 5)]
    await runner.quiesce(0.0)


async def test_without_room_on_the_disk_no_window_is_written_down_and_a_stop_ends_the_wait(world: World) -> None:
    async def never(_seconds: float) -> None:
        await asyncio.Event().wait()

    gate = world.gates["state"] = Gate("state", world.well, sleep=never)
    gate.close(OutageError("state", "no space is left"))
    runner, one = world.runner(), batch(0, 5)
    runner.accept(one.records)
    for _ in range(50):
        await asyncio.sleep(0)
    assert (world.rows_written, runner.waiting_records()) == ({}, 5)
    async with asyncio.timeout(5):
        await runner.quiesce(NEVER)


async def test_a_window_that_is_done_with_is_progress(world: World) -> None:
    runner, one = world.runner(), batch(0, 5)
    before = runner.last_progress
    runner.accept(one.records)
    await world.until(lambda: one.position == 5)
    await world.until(lambda: runner.last_progress > before)
    await runner.quiesce(0.0)
