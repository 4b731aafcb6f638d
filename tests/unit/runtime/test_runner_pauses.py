"""A stage of the calls that pauses itself, is paused, or holds a tenant: what is dead-lettered, what goes on, what is acked (docs/adr/0017)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from tests.unit.runtime.world import BEGAN, OUT, TOPIC, Batch, Clock, Dependency, Outside, each, idle, passed, record
from tests.unit.runtime.world import Pauses as Sleeps
from voc_stream.errors import OutageError, RejectedError
from voc_stream.events.base import Decoder, Wire, derived_id, encode
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.pauses import Pauses, Throttle
from voc_stream.runtime.runner import StageRunner
from voc_stream.runtime.stage import Delivery, Stage, Surroundings, Work, by_policy
from voc_stream.stages.outcome import DeadLetter, Outcome
from voc_stream.stages.pause_orders import EVERY, PauseOrder
from voc_stream.stages.retry import RetryPolicy
from voc_stream.stages.self_pause import PauseRules

RULES = PauseRules(run=10, sample=100, seconds=60.0)
TENANTS = ("acme", "globex", "initech", "umbrella")
BAD = DeadLetter("not_audio", "it is a text")


class Owned(Wire, frozen=True, kw_only=True):
    """The value of the tests' topic: a note of a tenant."""

    tenant_id: str


def value(offset: int, tenant_id: str) -> bytes:
    return encode(Owned(event_ts=BEGAN, ingest_uuid=derived_id(str(offset)), tenant_id=tenant_id))


def owned(first: int, tenants: list[str]) -> Batch:
    return Batch([record(first + place, value(first + place, tenant_id)) for place, tenant_id in enumerate(tenants)])


class Scene:
    """A runner with pauses; `at_once`: whether sleeps end by themselves."""

    def __init__(self, work: Work, *, in_flight: int = 8, chunk: int = 1, throttle: Throttle | None = None, at_once: bool = True) -> None:
        self.outside = Outside()
        self.dependencies = {name: Dependency() for name in ("scorer", "kafka")}
        self.gates = {name: Gate(name, each_one.probe, sleep=Sleeps()) for name, each_one in self.dependencies.items()}
        self.now = 0.0
        self.sleeps = Sleeps(at_once=at_once)
        self.pauses = Pauses(RULES, throttle or Throttle(calls=1000.0), clock=lambda: self.now, later=lambda _seconds, _act: None)
        self.crashes: list[BaseException] = []
        stage = Stage("note", Decoder(Owned), work, by_policy(RetryPolicy(attempts=3)), ("scorer",), in_flight, chunk)
        clock = Clock()
        around = Surroundings(
            publisher=self.outside, store=self.outside, gates=self.gates, crash=self._crash, pauses=self.pauses,
            now=lambda: BEGAN + timedelta(seconds=clock()), sleep=self.sleeps, chance=lambda: 0.0,
        )  # fmt: skip
        self.runner = StageRunner(stage, around)
        self._orders = 0

    async def _crash(self, error: BaseException) -> None:
        self.crashes.append(error)

    @property
    def letters(self) -> int:
        return len(self.outside.sent_to(f"{TOPIC}.dlq"))

    @property
    def outputs(self) -> int:
        return len(self.outside.sent_to(OUT))

    def order(self, *paused: tuple[str, str], resumed: str | None = None) -> None:
        """Let these orders, and no others, be in force."""
        self._orders += 1
        orders = [(stage, tenant_id, True) for stage, tenant_id in paused] + ([(resumed, EVERY, False)] if resumed else [])
        at = BEGAN + timedelta(seconds=self._orders)
        self.pauses.tell(
            [PauseOrder(stage=stage, tenant_id=whose, paused=on, reason="", actor="cli:ann", changed_at=at) for stage, whose, on in orders]
        )

    def until_tried(self) -> None:
        self.now += RULES.seconds
        self.pauses._wake()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                await asyncio.sleep(0)


MakeScene = Callable[..., Scene]


@pytest.fixture
async def make_scene() -> AsyncIterator[MakeScene]:
    scenes: list[Scene] = []

    def make(work: Work, **options: object) -> Scene:
        scenes.append(Scene(work, **options))  # type: ignore[arg-type]
        return scenes[-1]

    yield make
    for scene in scenes:
        await scene.runner.quiesce(0.0)
        for gate in scene.gates.values():
            await gate.stop()
        assert scene.crashes == []


def turned(bad: Callable[[Delivery], bool]) -> Work:
    """Work that dead-letters some records."""
    return each(lambda delivery: BAD if bad(delivery) else passed(delivery))


# a bad deploy (fault 9)


@pytest.mark.parametrize(("in_flight", "chunk"), [(8, 1), (64, 1), (100, 25), (400, 100)])
async def test_when_every_record_dies_the_stage_pauses_and_the_offset_stops_short_of_draining_the_topic(
    make_scene: MakeScene, in_flight: int, chunk: int
) -> None:
    scene = make_scene(turned(lambda _: True), in_flight=in_flight, chunk=chunk)
    many = owned(0, [TENANTS[number % 4] for number in range(400)])
    scene.runner.accept(many.records)
    await scene.until(lambda: not scene.pauses.is_open("note"))
    await idle()
    letters, position = scene.letters, many.position
    assert letters <= 16
    assert position <= letters, "only what has its dead letter written is passed"
    await idle()
    assert (scene.letters, many.position) == (letters, position), "it stands still"
    assert (scene.pauses.reason("note") or "").startswith("paused itself")


async def test_bytes_that_name_nobody_pause_the_stage_too(make_scene: MakeScene) -> None:
    scene = make_scene(turned(lambda _: False), in_flight=100, chunk=10)
    rubbish = Batch([record(offset, b"\xff rubbish") for offset in range(200)])
    scene.runner.accept(rubbish.records)
    await scene.until(lambda: not scene.pauses.is_open("note"))
    await idle()
    assert scene.letters == 0, "the first chunk is as long as the run"
    assert rubbish.position == 0


async def test_what_was_held_back_passes_after_the_pause_if_it_can_by_then(make_scene: MakeScene) -> None:
    healthy = False
    scene = make_scene(turned(lambda _: not healthy), in_flight=64)
    many = owned(0, [TENANTS[number % 4] for number in range(100)])
    scene.runner.accept(many.records)
    await scene.until(lambda: not scene.pauses.is_open("note"))
    await idle()
    letters = scene.letters
    healthy = True
    scene.order(resumed=None)
    scene.order(resumed="note")
    await scene.until(lambda: many.position == 100)
    assert scene.letters == letters
    assert scene.outputs == 100 - letters


async def test_after_its_time_one_record_is_tried_and_when_it_passes_the_others_follow(make_scene: MakeScene) -> None:
    healthy = False
    scene = make_scene(turned(lambda _: not healthy), in_flight=64)
    many = owned(0, [TENANTS[number % 4] for number in range(100)])
    scene.runner.accept(many.records)
    await scene.until(lambda: not scene.pauses.is_open("note"))
    await idle()
    letters = scene.letters
    scene.until_tried()
    await idle()
    assert scene.letters == letters + 1, "the one that was tried is written"
    assert not scene.pauses.is_open("note")
    healthy = True
    scene.until_tried()
    await scene.until(lambda: many.position == 100)
    assert scene.letters == letters + 1


async def test_a_service_that_rejects_everything_pauses_the_stage_instead_of_the_calls_dying(make_scene: MakeScene) -> None:
    async def work(_deliveries: object) -> list[Outcome]:
        await asyncio.sleep(0)
        raise RejectedError("scorer", "it answered 422")

    scene = make_scene(work, in_flight=16)
    many = owned(0, [TENANTS[number % 4] for number in range(100)])
    scene.runner.accept(many.records)
    await scene.until(lambda: not scene.pauses.is_open("note"))
    await idle()
    assert scene.letters < 16
    assert many.position <= scene.letters


async def test_in_a_mixed_chunk_what_passes_is_published_once_and_only_the_rest_is_held_back(make_scene: MakeScene) -> None:
    scene = make_scene(turned(lambda delivery: delivery.facts.offset % 4 != 0), in_flight=100, chunk=100)
    many = owned(0, ["good" if number % 4 == 0 else TENANTS[number % 4] for number in range(100)])
    scene.runner.accept(many.records)
    await scene.until(lambda: not scene.pauses.is_open("note"))
    await idle()
    assert (scene.outputs, scene.letters, many.position) == (25, 0, 0)
    scene.order()
    scene.order(resumed="note")
    await scene.until(lambda: many.position == 100)
    assert (scene.outputs, scene.letters) == (25, 75)


# one tenant


async def test_one_tenant_s_rubbish_is_throttled_alone(make_scene: MakeScene) -> None:
    scene = make_scene(turned(lambda delivery: delivery.event.tenant_id == "acme"), throttle=Throttle(calls=1.0), at_once=False)
    many = owned(0, [("acme", "globex")[number % 2] for number in range(400)])
    scene.runner.accept(many.records)
    await scene.until(lambda: scene.outputs == 200)
    await idle()
    assert scene.pauses.is_open("note")
    assert 30 <= scene.letters <= 30 + 8, "a burst of thirty seconds' worth, and what was in flight"
    assert scene.pauses.held_tenants("note") == {"acme"}
    assert scene.runner.waiting_records() == 200 - scene.letters

    letters = scene.letters
    scene.now += 100.0
    scene.sleeps.end()
    await scene.until(lambda: scene.letters > letters)
    assert scene.letters < 200


async def test_an_operator_pauses_one_tenant_and_the_others_go_on_until_it_is_resumed(make_scene: MakeScene) -> None:
    scene = make_scene(turned(lambda _: False), in_flight=16, chunk=4)
    scene.order(("note", "acme"))
    many = owned(0, [("globex", "acme")[number % 2] for number in range(100)])
    scene.runner.accept(many.records)
    await scene.until(lambda: scene.outputs == 50)
    await idle()
    assert (scene.outputs, many.position) == (50, 1), "the offset waits for the paused tenant"
    assert scene.pauses.reason("note") == "records of 1 tenants wait"

    scene.order()
    await scene.until(lambda: many.position == 100)
    assert (scene.outputs, scene.letters) == (100, 0)


async def test_a_stop_does_not_wait_for_a_paused_tenant_and_its_records_stay_unacknowledged(make_scene: MakeScene) -> None:
    scene = make_scene(turned(lambda _: False))
    scene.order((EVERY, "acme"))
    few = owned(0, ["acme", "globex"])
    scene.runner.accept(few.records)
    await scene.until(lambda: scene.outputs == 1)
    async with asyncio.timeout(5):
        await scene.runner.quiesce(1e6)
    assert few.position == 0


# a stage paused by an operator


async def test_a_paused_stage_works_on_nothing_and_goes_on_when_it_is_resumed(make_scene: MakeScene) -> None:
    scene = make_scene(turned(lambda delivery: delivery.facts.offset == 1))
    scene.order(("note", EVERY))
    few = owned(0, ["acme", "globex"])
    scene.runner.accept(few.records)
    await idle()
    assert (scene.outside.journal, few.position) == ([], 0)
    scene.order(resumed="note")
    await scene.until(lambda: few.position == 2)
    assert (scene.outputs, scene.letters) == (1, 1)


async def test_a_stop_ends_a_paused_stage_at_once(make_scene: MakeScene) -> None:
    scene = make_scene(turned(lambda _: False))
    scene.order(("note", EVERY))
    few = owned(0, ["acme"])
    scene.runner.accept(few.records)
    await idle()
    async with asyncio.timeout(5):
        await scene.runner.quiesce(1e6)
    assert few.position == 0


# a dead-letter topic that takes nothing (fault 10)


async def test_a_record_whose_dead_letter_is_refused_keeps_its_offset_and_the_others_go_on(make_scene: MakeScene) -> None:
    scene = make_scene(turned(lambda delivery: delivery.facts.offset == 0), at_once=False)
    publish, refuses = scene.outside.publish, True

    async def picky(records: list[object]) -> list[int]:
        if refuses and any(getattr(one, "topic", "").endswith(".dlq") for one in records):
            raise OutageError("kafka", "UnknownTopicOrPartitionError")
        return await publish(records)  # type: ignore[arg-type]

    scene.outside.publish = picky  # type: ignore[method-assign, assignment]
    many = owned(0, ["acme"] * 50)
    scene.runner.accept(many.records)
    await scene.until(lambda: scene.outputs == 49)
    await idle()
    assert (many.position, scene.letters) == (0, 0)
    assert scene.gates["kafka"].is_open
    assert scene.pauses.closed() == [f"note: its dead letters cannot be written: {TOPIC}.dlq: UnknownTopicOrPartitionError"]

    refuses = False
    scene.sleeps.end()
    await scene.until(lambda: many.position == 50)
    assert scene.letters == 1
    assert scene.pauses.closed() == []
