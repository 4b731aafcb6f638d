"""Places for the work on one dependency: who gets them, what is measured, who must not ask (ADR 0018)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.unit.runtime.conftest import MakeWorld
from tests.unit.runtime.world import Dependency, Pauses, batch, each, idle, passed
from voc_stream.errors import (
    NotThereYetError,
    OutageError,
    OutsideError,
    RejectedError,
    ThrottledError,
    TimedOutError,
    TransientError,
    UnavailableError,
)
from voc_stream.runtime import metrics
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.limit import LOOK_SECONDS, Limit

TIMEOUT = 5.0


class Scene:
    """A limit, its gate, and a clock that stands until a test moves it."""

    def __init__(self, *, floor: int = 1, ceiling: int = 2) -> None:
        self.gate = Gate("recorder", Dependency().probe, sleep=Pauses(), chance=lambda: 0.0)
        self.now = self.wall = 0.0
        self.limit = Limit("download", self.gate, floor=floor, ceiling=ceiling, clock=lambda: self.now, wall=lambda: self.wall)
        self.inside: list[int] = []
        self.go = asyncio.Event()

    async def work(self, name: int) -> None:
        async with self.limit.place():
            self.inside.append(name)
            await asyncio.sleep(0)
            await self.go.wait()

    async def fail(self, error: BaseException) -> None:
        with pytest.raises(type(error)):
            async with self.limit.place():
                raise error


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    await made.gate.stop()


def told(result: str) -> float:
    return metrics.REGISTRY.get_sample_value("voc_limit_answers_total", {"stage": "download", "result": result}) or 0.0


async def test_no_more_than_the_limit_are_inside_and_the_others_come_in_their_order(scene: Scene) -> None:
    workers = [asyncio.create_task(scene.work(name)) for name in range(5)]
    await idle()
    assert scene.inside == [0, 1]
    scene.go.set()
    await asyncio.gather(*workers)

    assert scene.inside == [0, 1, 2, 3, 4]
    assert scene.limit.in_use == 0


async def test_a_place_that_is_freed_early_goes_to_the_next(scene: Scene) -> None:
    scene.limit.hold_to(1)
    async with scene.limit.place() as place:
        waiting = asyncio.create_task(scene.work(1))
        await idle()
        assert scene.inside == []
        place.free()
        await idle()
        assert scene.inside == [1]
    scene.go.set()
    await waiting

    assert scene.limit.in_use == 0


@pytest.mark.parametrize("given", [False, True])
async def test_who_is_cancelled_while_waiting_takes_no_place(scene: Scene, *, given: bool) -> None:
    scene.limit.hold_to(1)
    first = asyncio.create_task(scene.work(1))
    await idle()
    waiting, after = asyncio.create_task(scene.work(2)), asyncio.create_task(scene.work(3))
    await idle()
    if given:
        scene.go.set()
        await first
    waiting.cancel()
    scene.limit.hold_to(2)
    scene.go.set()
    await asyncio.gather(first, after)

    assert waiting.cancelled() or await asyncio.gather(waiting, return_exceptions=True)
    assert scene.limit.in_use == 0
    assert 3 in scene.inside


async def test_who_waited_for_a_place_does_not_ask_a_dependency_whose_gate_was_closed_meanwhile(scene: Scene) -> None:
    scene.limit.hold_to(1)
    first, second = asyncio.create_task(scene.work(1)), asyncio.create_task(scene.work(2))
    await idle()
    scene.gate.close(ThrottledError("recorder", "it answered 503", retry_after=30.0))
    scene.go.set()
    await first
    with pytest.raises(OutageError, match="it answered 503"):
        await second

    assert scene.inside == [1]
    assert scene.limit.in_use == 0


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ThrottledError("recorder", "it answered 429", retry_after=5.0), "refused"),
        (UnavailableError("recorder", "it answered 503"), "refused"),
        (TimedOutError("recorder", "no answer within the time-out"), "refused"),
        (UnavailableError("s3", "it answered 503"), "other"),
        (TransientError("recorder", "it answered 500"), "other"),
        (OutageError("recorder", "connection refused"), "other"),
        (RejectedError("recorder", "it answered 400"), "other"),
        (NotThereYetError("recorder", "the recording is not there"), "other"),
        (asyncio.CancelledError(), "other"),
    ],
)
async def test_only_too_much_to_do_counts_as_a_refusal(scene: Scene, error: BaseException, result: str) -> None:
    before = told(result)
    await scene.fail(error)

    assert told(result) == before + 1


async def test_refusals_lower_the_limit_and_its_metric() -> None:
    scene = Scene(ceiling=32)
    refused = OutsideErrors(scene, UnavailableError("recorder", "it answered 503"))
    await refused.at_once(32)

    assert scene.limit.current == 16
    assert metrics.REGISTRY.get_sample_value("voc_stage_concurrency_limit", {"stage": "download"}) == 16


class OutsideErrors:
    """Work that is refused, all of it at the same time."""

    def __init__(self, scene: Scene, error: OutsideError) -> None:
        self._scene = scene
        self._error = error

    async def at_once(self, count: int) -> None:
        inside = 0
        all_inside = asyncio.Event()

        async def one() -> None:
            nonlocal inside
            async with self._scene.limit.place():
                inside += 1
                if inside == count:
                    all_inside.set()
                await all_inside.wait()
                raise self._error

        async with asyncio.timeout(TIMEOUT):
            await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)


@pytest.mark.parametrize("early", [False, True])
async def test_latency_ends_with_the_answer_and_is_told_by_the_size_of_the_work(*, early: bool) -> None:
    scene = Scene(ceiling=1)
    for _ in range(6):
        async with scene.limit.place(per=10.0) as place:
            scene.now += 5.0
            if early:
                place.answered()
                scene.now += 1000.0

    assert metrics.REGISTRY.get_sample_value("voc_limit_usual_latency", {"stage": "download"}) == pytest.approx(0.5)


async def test_all_workers_look_at_the_same_time_by_the_wall_s_clock_whether_fewer_would_do() -> None:
    scene = Scene(ceiling=8)
    scene.go.set()

    async def rounds() -> float:
        for _ in range(4):
            await asyncio.gather(*(scene.work(number) for number in range(64)))
        return metrics.REGISTRY.get_sample_value("voc_limit_changes_total", {"stage": "download", "why": "trial"}) or 0.0

    first, then = await rounds(), await rounds()
    scene.wall += LOOK_SECONDS

    assert first == then
    assert await rounds() == then + 1


async def test_what_lags_behind_it_holds_it_down_and_lets_it_go_again() -> None:
    scene = Scene(floor=2, ceiling=8)
    currents = []
    for most in (3, 0, 8, 100):
        scene.limit.hold_to(most)
        currents.append(scene.limit.current)

    assert currents == [3, 2, 8, 8]


async def test_a_runner_works_on_as_many_records_as_there_are_places_now(make_world: MakeWorld) -> None:
    scene = Scene(ceiling=8)
    running = most = 0

    async def work(deliveries: list[object]) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return await each(passed)(deliveries)  # type: ignore[arg-type]

    world = make_world(work, in_flight=8)
    world.runner.stage = replace(world.runner.stage, adapted=lambda: scene.limit.current)
    seen = []
    for lowered_to in (8, 2):
        scene.limit.hold_to(lowered_to)
        most = 0
        batches = [batch(*range(20), partition=partition) for partition in range(4)]
        for one in batches:
            world.runner.accept(one.records)
        async with asyncio.timeout(TIMEOUT):
            for one in batches:
                await one.done.wait()
        seen.append(most)

    assert seen == [8, 2]
