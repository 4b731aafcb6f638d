"""Customer events while their stage or a tenant stands still: no window is written down, no letter sent, nothing acknowledged (docs/adr/0017)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.runtime.test_windowed import World
from tests.unit.runtime.world import BEGAN, TOPIC, Batch, idle, record
from tests.voc import action_value
from voc_stream.errors import OutageError
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.pauses import Pauses, Throttle
from voc_stream.runtime.window_letters import MOVED_FROM
from voc_stream.runtime.windowed import WindowedRunner
from voc_stream.stages.pause_orders import EVERY, PauseOrder
from voc_stream.stages.self_pause import PauseRules

RULES = PauseRules(run=10, sample=100, seconds=60.0)
TENANTS = ("acme", "globex", "initech", "umbrella")


class Scene(World):
    """A world with pauses; `overflow` is the topic that events move to."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.rested: list[float] = []
        self.pauses = Pauses(RULES, Throttle(events=10.0), clock=lambda: self.now, later=lambda _seconds, _act: None)
        self.pauses.tell([])
        self._orders = 0

    def started(self, *, overflow: str = "overflow", size: int = 20, size_max: int = 200) -> WindowedRunner:
        runner = self.runner(size=size, size_max=size_max, flush_seconds=0.0)
        runner._tools = replace(runner._tools, pauses=self.pauses, overflow_topic=overflow, sources=frozenset({"voc.calls"}))
        runner._sleep = self.rest
        return runner

    async def rest(self, seconds: float) -> None:
        self.rested.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def order(self, *paused: tuple[str, str], resumed: str | None = None) -> None:
        self._orders += 1
        orders = [(stage, tenant_id, True) for stage, tenant_id in paused] + ([(resumed, EVERY, False)] if resumed else [])
        at = BEGAN + timedelta(seconds=self._orders)
        self.pauses.tell([PauseOrder(stage=stage, tenant_id=whose, paused=on, reason="", actor="ann", changed_at=at) for stage, whose, on in orders])

    def sent_to(self, topic: str) -> list[Outgoing]:
        return [each for each in self.letters if each.topic == topic]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    assert made.crashes == []
    for gate in made.gates.values():
        await gate.stop()


def bad(tenant_id: str) -> bytes:
    return b'{"tenant_id":"%s","event_type":"nothing"}' % tenant_id.encode()


def of(values: Sequence[bytes], first: int = 0, **fields: Any) -> Batch:
    return Batch([record(first + place, value, **fields) for place, value in enumerate(values)])


# the stage


async def test_when_every_event_is_bad_nothing_is_written_down_or_dead_lettered_and_the_offset_stands_still(scene: Scene) -> None:
    runner = scene.started()
    many = of([bad(TENANTS[number % 4]) for number in range(400)])
    runner.accept(many.records)
    await scene.until(lambda: not scene.pauses.is_open("voc"))
    await idle()
    assert (scene.letters, many.position, runner.waiting_records()) == ([], 0, 400)
    assert len(scene.rows_written) == 1, "the claim, and no window"
    await runner.quiesce(0.0)


async def test_a_window_given_back_is_stored_after_the_pause_with_what_came_meanwhile_and_each_event_once(scene: Scene) -> None:
    runner = scene.started()
    values = [bad(TENANTS[number % 4]) if number % 5 else action_value(number) for number in range(100)]
    first, second = of(values), None
    runner.accept(first.records)
    await scene.until(lambda: not scene.pauses.is_open("voc"))
    second = Batch([record(100 + number, action_value(100 + number)) for number in range(10)], first.ledger)
    runner.accept(second.records)
    await idle()
    assert (first.position, scene.stored) == (0, [])
    scene.order(resumed="voc")
    await scene.until(lambda: second.position == 110)
    assert len(scene.stored) == len(set(scene.stored)) == 30
    assert len(scene.sent_to(f"{TOPIC}.dlq")) == 80
    await runner.quiesce(0.0)


async def test_after_its_time_one_small_window_is_tried_and_its_letters_are_written(scene: Scene) -> None:
    runner = scene.started(size=100)
    many = of([bad(TENANTS[number % 4]) for number in range(400)])
    runner.accept(many.records)
    await scene.until(lambda: not scene.pauses.is_open("voc"))
    await idle()
    scene.now += 60.0
    scene.pauses._wake()
    await scene.until(lambda: len(scene.letters) == 50)
    await idle()
    assert (len(scene.letters), many.position) == (50, 50)
    assert not scene.pauses.is_open("voc")
    await runner.quiesce(0.0)


async def test_a_window_of_good_events_that_is_tried_ends_the_pause(scene: Scene) -> None:
    runner = scene.started()
    scene.pauses.note("voc", 0, {"acme": 9, "globex": 9, "initech": 9})
    few = of([action_value(number) for number in range(30)])
    runner.accept(few.records)
    await idle()
    assert few.position == 0
    scene.now += 60.0
    scene.pauses._wake()
    await scene.until(lambda: few.position == 30)
    assert scene.pauses.is_open("voc")
    await runner.quiesce(0.0)


async def test_an_operator_s_pause_comes_before_a_window_is_formed_and_a_stop_ends_it_at_once(scene: Scene) -> None:
    scene.order(("voc", EVERY))
    runner, few = scene.started(), of([action_value(number) for number in range(30)])
    runner.accept(few.records)
    await idle()
    assert (few.position, scene.inserts, len(scene.rows_written)) == (0, [], 1)
    async with asyncio.timeout(5):
        await runner.quiesce(1e6)


async def test_rows_that_clickhouse_rejects_by_the_dozen_pause_the_stage_before_they_are_dead_letters(scene: Scene) -> None:
    """A table that does not fit the code refuses every row, one by one; with the right one they may yet be stored."""
    scene.rejected = b"tenant"
    runner = scene.started()
    few = of([action_value(number, tenant_id=TENANTS[number % 4]) for number in range(20)])
    runner.accept(few.records)
    await scene.until(lambda: not scene.pauses.is_open("voc"))
    await idle()
    assert (scene.letters, few.position) == ([], 0)
    scene.order(resumed="voc")
    await scene.until(lambda: few.position == 20)
    assert len(scene.letters) == 20
    await runner.quiesce(0.0)


# one tenant


async def test_rubbish_of_one_tenant_beyond_its_rate_waits_in_the_overflow_topic_and_the_others_events_go_on(scene: Scene) -> None:
    runner = scene.started(size_max=20)
    values = [bad("acme") if number % 2 else action_value(number, tenant_id="globex") for number in range(1000)]
    many = of(values, headers=(("h", b"1"), (MOVED_FROM, b"a.stranger/1/1")))
    runner.accept(many.records)
    await scene.until(lambda: many.position == 1000)
    assert scene.pauses.is_open("voc")
    assert len(scene.stored) == 500
    assert len(scene.sent_to(f"{TOPIC}.dlq")) == 300, "thirty seconds' worth"
    moved = scene.sent_to("overflow")
    assert len(moved) == 200
    assert (moved[0].key, moved[0].value) == (b"key", bad("acme"))
    assert moved[0].headers == (("h", b"1"), (MOVED_FROM, b"notes/0/601"))
    assert scene.rested == []
    await runner.quiesce(0.0)


async def test_in_the_overflow_topic_rubbish_is_dead_lettered_at_its_tenant_s_rate_as_of_where_it_was_met(scene: Scene) -> None:
    runner = scene.started(overflow=TOPIC)
    rubbish = of([bad("acme")] * 600, headers=(("h", b"1"), (MOVED_FROM, b"voc.calls/3/77")))
    runner.accept(rubbish.records)
    await scene.until(lambda: rubbish.position == 600)
    letters = scene.sent_to("voc.calls.dlq")
    assert len(letters) == 600
    headers = dict(letters[0].headers)
    assert (headers["voc-dlq-topic"], headers["voc-dlq-partition"], headers["voc-dlq-offset"]) == (b"voc.calls", b"3", b"77")
    assert (letters[0].headers[0], letters[0].partition) == (("h", b"1"), 3)
    assert MOVED_FROM not in headers
    assert scene.now >= 10.0, "two hundred beyond the burst, at ten a second; the last window is paid for later"
    await runner.quiesce(0.0)


async def test_a_mark_in_another_topic_is_a_stranger_s(scene: Scene) -> None:
    runner, one = scene.started(), of([bad("acme")], headers=((MOVED_FROM, b"voc.calls/3/77"),))
    runner.accept(one.records)
    await scene.until(lambda: one.position == 1)
    assert [letter.topic for letter in scene.letters] == [f"{TOPIC}.dlq"]
    await runner.quiesce(0.0)


async def test_rubbish_of_a_topic_that_is_not_read_here_is_dead_lettered_as_of_the_overflow_topic(scene: Scene) -> None:
    runner, one = scene.started(overflow=TOPIC), of([bad("acme")], headers=((MOVED_FROM, b"voc.gone/3/77"),))
    runner.accept(one.records)
    await scene.until(lambda: one.position == 1)
    assert [letter.topic for letter in scene.letters] == [f"{TOPIC}.dlq"]
    await runner.quiesce(0.0)


async def test_events_of_a_paused_tenant_move_to_the_overflow_topic_and_the_others_are_stored(scene: Scene) -> None:
    scene.order((EVERY, "acme"))
    runner = scene.started()
    few = of([action_value(number, tenant_id=("acme", "globex")[number % 2]) for number in range(40)])
    runner.accept(few.records)
    await scene.until(lambda: few.position == 40)
    assert len(scene.stored) == len(scene.sent_to("overflow")) == 20
    await runner.quiesce(0.0)


async def test_in_the_overflow_topic_a_paused_tenant_s_events_wait_and_those_before_them_are_stored(scene: Scene) -> None:
    scene.order((EVERY, "acme"))
    runner = scene.started(overflow=TOPIC)
    few = of([action_value(number, tenant_id="globex" if number < 7 else "acme") for number in range(40)])
    runner.accept(few.records)
    await scene.until(lambda: few.position == 7)
    await idle()
    assert (few.position, len(scene.stored)) == (7, 7)
    scene.order()
    await scene.until(lambda: few.position == 40)
    assert len(scene.stored) == 40
    await runner.quiesce(0.0)


# a dead-letter topic that takes nothing (fault 10)


async def test_a_window_whose_dead_letter_is_refused_is_not_acknowledged_and_the_stage_says_why(scene: Scene) -> None:
    publish, refuses = scene.publish, True

    async def picky(records: Sequence[Outgoing]) -> list[int]:
        if refuses and any(each.topic.endswith(".dlq") for each in records):
            raise OutageError("kafka", "TopicAuthorizationFailedError")
        return await publish(records)

    scene.publish = picky  # type: ignore[method-assign]
    runner, one = scene.started(), of([action_value(1), b"{", action_value(2)])
    runner.accept(one.records)
    await scene.until(lambda: len(scene.rested) > 3)
    assert (one.position, len(scene.stored)) == (0, 2)
    assert scene.pauses.closed() == [f"voc: its dead letters cannot be written: {TOPIC}.dlq: TopicAuthorizationFailedError"]
    assert scene.gates["kafka"].is_open
    refuses = False
    await scene.until(lambda: one.position == 3)
    assert (len(scene.letters), scene.pauses.closed()) == (1, [])
    await runner.quiesce(0.0)
