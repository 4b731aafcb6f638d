"""A dependency's gate: closed while it is not well, opened by its own probe (spec section 2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.unit.runtime.world import Clock, Dependency, Pauses
from voc_stream.errors import OutageError, ThrottledError
from voc_stream.runtime.gate import Gate

DOWN = OutageError("s3", "connection refused")


class Scene:
    """A gate, its dependency, and pauses that end when the test says so."""

    def __init__(self) -> None:
        self.dependency, self.pauses, self.clock = Dependency(), Pauses(), Clock()
        self.gate = Gate("s3", self.dependency.probe, first_pause=1.0, longest_pause=8.0, sleep=self.pauses, clock=self.clock, chance=lambda: 0.0)

    async def next_probe(self) -> None:
        """Let the pause before the next probe end, and the probe be done."""
        async with asyncio.timeout(5.0):
            await self.pauses.entered.wait()
        self.pauses.end()
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    await made.gate.stop()


async def test_a_gate_is_open_until_it_is_closed(scene: Scene) -> None:
    assert scene.gate.is_open
    await scene.gate.passed()
    scene.gate.close(DOWN)

    assert not scene.gate.is_open
    assert scene.gate.reason == "connection refused"


async def test_work_that_waits_passes_once_a_probe_succeeds(scene: Scene) -> None:
    scene.gate.close(DOWN)
    passing = asyncio.create_task(scene.gate.passed())
    await scene.next_probe()
    async with asyncio.timeout(5.0):
        await passing

    assert scene.gate.is_open
    assert scene.gate.reason is None


async def test_pauses_between_probes_double_up_to_a_bound(scene: Scene) -> None:
    scene.dependency.error = DOWN
    scene.gate.close(DOWN)
    for _ in range(6):
        await scene.next_probe()

    assert scene.pauses.asked == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
    assert not scene.gate.is_open


async def test_however_often_it_is_closed_there_is_one_probe_at_a_time(scene: Scene) -> None:
    for _ in range(5):
        scene.gate.close(DOWN)
    await scene.next_probe()

    assert scene.pauses.asked == [1.0]
    assert scene.dependency.probes == 1


async def test_the_dependency_s_own_pause_is_kept_before_the_first_probe_and_after_one_that_fails(scene: Scene) -> None:
    scene.dependency.error = ThrottledError("s3", "it answered 429", retry_after=17.0)
    scene.gate.close(ThrottledError("s3", "it answered 429", retry_after=60.0))
    await scene.next_probe()

    assert scene.pauses.asked == [60.0, 17.0]
    assert scene.gate.reason == "it answered 429"


async def test_pauses_are_spread_by_chance_so_that_workers_do_not_return_together() -> None:
    pauses = Pauses()
    gate = Gate("s3", Dependency().probe, first_pause=1.0, sleep=pauses, chance=lambda: 1.0)
    gate.close(DOWN)
    await pauses.entered.wait()
    await gate.stop()

    assert pauses.asked == [1.2]


async def test_a_gate_can_close_again_after_it_opened(scene: Scene) -> None:
    scene.gate.close(DOWN)
    await scene.next_probe()
    scene.pauses.entered.clear()
    scene.gate.close(DOWN)
    await scene.next_probe()

    assert scene.gate.is_open
    assert scene.dependency.probes == 2


async def test_pauses_double_while_the_probe_is_content_and_the_work_fails(scene: Scene) -> None:
    for _ in range(5):
        scene.gate.close(DOWN)
        await scene.next_probe()
        assert scene.gate.is_open
        scene.pauses.entered.clear()

    assert scene.pauses.asked == [1.0, 2.0, 4.0, 8.0, 8.0]


async def test_what_comes_and_goes_is_told_while_it_is_there_until_it_has_stayed_for_a_minute(scene: Scene) -> None:
    told = []
    for _ in range(3):
        scene.gate.close(DOWN)
        await scene.next_probe()
        told.append(scene.gate.flapping)
        scene.pauses.entered.clear()
        scene.clock.seconds += 15
    assert told == [None, None, "it comes and goes: 3 times within 60 s"]

    scene.gate.close(DOWN)
    assert scene.gate.flapping is None, "it is told as one that is down"
    await scene.next_probe()
    scene.clock.seconds += 60
    assert scene.gate.flapping is None


@pytest.mark.parametrize("calm", ["a record is served", "a minute passes"])
async def test_pauses_begin_anew_once(scene: Scene, calm: str) -> None:
    scene.gate.close(DOWN)
    await scene.next_probe()
    scene.pauses.entered.clear()
    if calm == "a minute passes":
        scene.clock.seconds += 61
    else:
        scene.clock.seconds += 1
        scene.gate.succeeded()
    scene.gate.close(DOWN)
    await scene.next_probe()

    assert scene.pauses.asked == [1.0, 1.0]


async def test_a_probe_that_meets_an_unknown_error_is_repeated(scene: Scene) -> None:
    probe, failures = scene.dependency.probe, [ZeroDivisionError()]

    async def broken() -> None:
        if failures:
            raise failures.pop()
        await probe()

    scene.gate._probe = broken
    scene.gate.close(DOWN)
    await scene.next_probe()
    assert not scene.gate.is_open
    await scene.next_probe()

    assert scene.gate.is_open


def test_it_serves_nobody_when_two_records_fail_and_none_was_served_since() -> None:
    serving = Gate("s3", Dependency().probe).serving("score")
    serving.succeeded()
    serving.failed("a")
    assert not serving.nobody("a", serving.served), "alone it may be the record"
    serving.failed("b")

    assert serving.nobody("a", serving.served)
    assert serving.nobody("b", serving.served)


def test_a_record_that_is_served_tells_that_it_is_not_down() -> None:
    serving = Gate("s3", Dependency().probe).serving("score")
    began = serving.served
    serving.failed("a")
    serving.succeeded()
    serving.failed("a")
    serving.failed("b")

    assert not serving.nobody("a", began)


def test_what_serves_one_stage_may_serve_nobody_of_another() -> None:
    gate = Gate("s3", Dependency().probe)
    serving = gate.serving("score")
    serving.failed("a")
    serving.failed("b")
    gate.serving("download").succeeded()

    assert serving.nobody("a", 0)


def test_a_record_that_was_given_up_says_nothing_of_the_next() -> None:
    serving = Gate("s3", Dependency().probe).serving("score")
    serving.failed("a")
    serving.dismiss("a")
    serving.failed("b")

    assert not serving.nobody("b", serving.served)


async def test_it_can_be_asked_whether_the_dependency_is_down(scene: Scene) -> None:
    assert await scene.gate.is_down() is None
    scene.dependency.error = DOWN

    assert await scene.gate.is_down() is DOWN


async def test_those_who_ask_at_the_same_time_get_one_answer(scene: Scene) -> None:
    scene.dependency.error = DOWN
    answers = await asyncio.gather(*(scene.gate.is_down() for _ in range(20)))

    assert answers == [DOWN] * 20
    assert scene.dependency.probes == 1


async def test_a_closed_gate_knows_the_answer_and_asks_nobody(scene: Scene) -> None:
    scene.gate.close(DOWN)
    answer = await scene.gate.is_down()

    assert answer is not None
    assert answer.reason == "connection refused"
    assert scene.dependency.probes == 0


async def test_a_probe_that_hangs_is_an_outage() -> None:
    never = asyncio.Event()

    async def hanging() -> None:
        await never.wait()

    answer = await Gate("s3", hanging, patience=0.0).is_down()

    assert answer is not None
    assert answer.reason == "no answer to a probe within 0 s"


async def test_a_gate_in_doubt_lets_nothing_through_until_the_dependency_answers(scene: Scene) -> None:
    scene.gate.doubt()
    assert not scene.gate.is_open
    assert scene.gate.reason == "it has not answered yet"
    await scene.next_probe()

    assert scene.gate.is_open
    assert scene.pauses.asked == [0.0], "it is asked at once"


async def test_a_gate_in_doubt_tells_why_the_dependency_is_not_well(scene: Scene) -> None:
    scene.dependency.error = DOWN
    scene.gate.doubt()
    await scene.next_probe()

    assert scene.gate.reason == "connection refused"
    scene.dependency.error = None
    await scene.next_probe()
    assert scene.gate.is_open


async def test_stopping_ends_the_probing(scene: Scene) -> None:
    scene.gate.close(DOWN)
    await scene.pauses.entered.wait()
    await scene.gate.stop()
    await scene.gate.stop()

    assert scene.dependency.probes == 0


async def test_what_fails_after_the_stop_asks_nobody(scene: Scene) -> None:
    await scene.gate.stop()
    scene.gate.close(DOWN)

    assert not scene.gate.is_open
    assert not scene.pauses.entered.is_set()
