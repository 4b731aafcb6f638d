"""What stands still in a worker: by order, by itself, tried again by one task, and what is told of it (docs/adr/0017)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.runtime.world import idle
from voc_stream.runtime import metrics
from voc_stream.runtime.pauses import News, Pauses, Throttle
from voc_stream.stages.pause_orders import EVERY, PauseOrder
from voc_stream.stages.self_pause import Dead, PauseRules

BEGAN = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
RULES = PauseRules(run=10, seconds=60.0)
BAD: Dead = {"acme": 5, "globex": 5, "initech": 5}


@dataclass
class Time:
    """Seconds that pass when a test says so."""

    now: float = 0.0
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def call_later(self, seconds: float, act: Callable[[], None]) -> None:
        self.later.append((self.now + seconds, act))

    def pass_to(self, now: float) -> None:
        self.now = now
        due = [act for at, act in self.later if at <= now]
        self.later = [each for each in self.later if each[0] > now]
        for act in due:
            act()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pauses(time: Time) -> Pauses:
    return Pauses(RULES, Throttle(calls=1.0, events=100.0), clock=time, later=time.call_later)


def order(stage: str = "download", tenant_id: str = EVERY, *, paused: bool = True, at: float = 0.0, reason: str = "") -> PauseOrder:
    return PauseOrder(stage=stage, tenant_id=tenant_id, paused=paused, reason=reason, actor="cli:ann", changed_at=BEGAN + timedelta(seconds=at))


# orders


async def test_a_stage_is_open_until_an_operator_pauses_it_and_again_when_it_is_resumed(pauses: Pauses) -> None:
    assert pauses.is_open("download")
    pauses.tell([order(reason="the recorder moves house")])
    waiting = asyncio.create_task(pauses.passed("download"))
    await idle()
    assert (pauses.is_open("download"), pauses.is_open("score"), waiting.done()) == (False, True, False)
    assert pauses.closed() == ["download: paused by an operator (the recorder moves house)"]
    assert metrics.STAGE_PAUSED.labels("download", "operator")._value.get() == 1

    pauses.tell([order(paused=False, at=1.0)])
    await asyncio.wait_for(waiting, 5)
    assert pauses.closed() == []
    assert metrics.STAGE_PAUSED.labels("download", "operator")._value.get() == 0


async def test_a_tenant_is_paused_in_one_stage_or_in_all(pauses: Pauses) -> None:
    pauses.tell([order("download", "acme"), order(EVERY, "globex"), order("score", "initech", paused=False)])
    assert pauses.paused_tenants("download") == {"acme", "globex"}
    assert pauses.paused_tenants("score") == {"globex"}
    assert pauses.is_open("download")
    assert pauses.closed() == [], "the worker is ready: others are served"
    assert pauses.reason("download") == "records of 2 tenants wait"

    waiting = asyncio.create_task(pauses.tenant_resumed("download", "acme"))
    await idle()
    assert not waiting.done()
    pauses.tell([order("download", "acme", paused=False, at=1.0), order(EVERY, "globex")])
    await asyncio.wait_for(waiting, 5)


async def test_nothing_works_before_the_orders_were_read_for_the_first_time(time: Time) -> None:
    pauses = Pauses(RULES, untold=True, clock=time, later=time.call_later)
    assert not pauses.is_open("download")
    assert pauses.closed() == ["an operator's pauses are not read yet"]
    waiting = asyncio.create_task(pauses.passed("download"))
    await idle()
    assert not waiting.done()
    pauses.tell([])
    await asyncio.wait_for(waiting, 5)


def test_where_orders_cannot_be_read_it_goes_on_with_what_it_knew(time: Time) -> None:
    pauses = Pauses(RULES, untold=True, clock=time, later=time.call_later)
    pauses.tell_nothing()
    assert pauses.is_open("download")
    pauses.tell([order()])
    pauses.tell_nothing()
    assert not pauses.is_open("download")


# by itself


def test_a_stage_that_pauses_itself_says_so(pauses: Pauses) -> None:
    before = metrics.SELF_PAUSES.labels("score")._value.get()
    assert not pauses.note("score", 0, BAD)
    assert pauses.reason("score") == "paused itself: 15 dead letters one after the other, of 3 tenants"
    assert pauses.closed() == ["score: paused itself: 15 dead letters one after the other, of 3 tenants"]
    assert pauses.is_open("download"), "another stage goes on"
    assert metrics.STAGE_PAUSED.labels("score", "self")._value.get() == 1
    assert metrics.SELF_PAUSES.labels("score")._value.get() == before + 1
    assert list(pauses.news()) == [News("self_pause", "score", "15 dead letters one after the other, of 3 tenants")]


async def test_after_its_time_one_task_tries_and_the_others_wait_for_what_comes_of_it(pauses: Pauses, time: Time) -> None:
    pauses.note("score", 0, BAD)
    tried: list[int] = []
    go_on = asyncio.Event()

    async def work(number: int) -> None:
        await pauses.passed("score")
        if not pauses.is_open("score"):
            tried.append(number)
            await go_on.wait()
            assert pauses.note("score", 1, {})

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await idle()
    assert tried == []
    time.pass_to(60.0)
    await idle()
    assert len(tried) == 1
    assert [task.done() for task in tasks] == [False] * 5
    go_on.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert len(tried) == 1
    assert pauses.is_open("score")
    assert [each.action for each in pauses.news()] == ["self_pause", "self_resume"]


async def test_a_trial_that_fails_writes_its_letters_and_the_next_comes_after_as_long_again(pauses: Pauses, time: Time) -> None:
    pauses.note("score", 0, BAD)
    tries: list[float] = []

    async def work() -> None:
        for _ in range(2):
            await pauses.passed("score")
            tries.append(time.now)
            assert pauses.note("score", 0, {"acme": 1}), "the letter of the record that was tried is written: it is not tried for ever"

    task = asyncio.create_task(work())
    for now in (59.0, 60.0, 119.0, 120.0):
        time.pass_to(now)
        await idle()
    await asyncio.wait_for(task, 5)
    assert tries == [60.0, 120.0]
    assert not pauses.is_open("score")
    assert [each.action for each in pauses.news()] == ["self_pause"]


async def test_when_the_task_that_tries_ends_without_a_word_another_one_tries(pauses: Pauses, time: Time) -> None:
    pauses.note("score", 0, BAD)
    time.pass_to(60.0)
    first = asyncio.create_task(_try_and_wait(pauses))
    await idle()
    second = asyncio.create_task(pauses.passed("score"))
    await idle()
    assert not second.done()
    first.cancel()
    await asyncio.wait_for(second, 5)


async def _try_and_wait(pauses: Pauses) -> None:
    await pauses.passed("score")
    await asyncio.Event().wait()


def test_an_operator_resumes_a_stage_that_paused_itself(pauses: Pauses) -> None:
    pauses.tell([])
    pauses.note("score", 0, BAD)
    pauses.tell([order("score", paused=False, at=1.0)])
    assert pauses.is_open("score")
    assert pauses.note("score", 0, BAD), "and nothing pauses it again for a while"
    pauses.tell([order("score", paused=False, at=1.0)])
    assert [each.action for each in pauses.news()] == ["self_pause", "self_resume"]


def test_an_order_to_go_on_from_before_the_worker_read_for_the_first_time_ends_no_pause(pauses: Pauses) -> None:
    pauses.note("score", 0, BAD)
    pauses.tell([order("score", paused=False, at=-100.0)])
    assert not pauses.is_open("score")
    pauses.tell([order("score", paused=False, at=1.0)])
    assert pauses.is_open("score")


async def test_nobody_tries_what_an_operator_has_paused_as_well(pauses: Pauses, time: Time) -> None:
    pauses.tell([order("score")])
    pauses.note("score", 0, BAD)
    time.pass_to(60.0)
    waiting = asyncio.create_task(pauses.passed("score"))
    await idle()
    assert not waiting.done()
    waiting.cancel()


# rates and refusals


def test_a_tenant_beyond_its_rate_is_held_alone(pauses: Pauses, time: Time) -> None:
    assert pauses.spend("score", {"acme": 40}) == pytest.approx(11.0)
    assert pauses.held_tenants("score") == {"acme"}
    assert pauses.held_tenants("download") == frozenset()
    assert pauses.throttles() == {"score": ["acme"]}
    assert pauses.wait_of("score", "acme") == pytest.approx(11.0)
    time.now = 11.0
    assert pauses.held_tenants("score") == frozenset()


def test_customer_events_have_a_rate_of_their_own(pauses: Pauses) -> None:
    assert pauses.take("voc", "acme", 5000) == 3000
    assert pauses.take("score", "acme", 5000) == 30


def test_a_stage_whose_dead_letters_are_refused_says_so_and_is_open(pauses: Pauses) -> None:
    pauses.refuse("score", "audio.ready.dlq: UnknownTopicOrPartitionError")
    assert pauses.closed() == ["score: its dead letters cannot be written: audio.ready.dlq: UnknownTopicOrPartitionError"]
    assert pauses.is_open("score"), "what needs no dead letter goes on"
    assert metrics.STAGE_PAUSED.labels("score", "dead_letters")._value.get() == 1
    pauses.accepted("score")
    assert pauses.closed() == []
    assert metrics.STAGE_PAUSED.labels("score", "dead_letters")._value.get() == 0
