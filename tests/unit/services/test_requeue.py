"""Dead letters go back: what is sent, what is not, how fast, and what a repetition or an interruption does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes.letters import Kafka, Shelf, again, letter
from voc_stream import topics
from voc_stream.clients.letter_rows import LetterFilter
from voc_stream.errors import OutageError
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.services.requeue import Requeued, Requeuer
from voc_stream.settings import Settings
from voc_stream.stages.requeue_mark import RequeueMark, mark_of, unmarked

ALL = LetterFilter(fingerprint="f1")


class World:
    """Letters, Kafka, and a clock that passes while somebody rests."""

    def __init__(self, **settings: Any) -> None:
        self.shelf = Shelf()
        self.kafka = Kafka()
        self.rests: list[float] = []
        self.seconds = 0.0
        self.requeuer = self.make(self.kafka, **settings)

    def make(self, publisher: Any, **settings: Any) -> Requeuer:
        return Requeuer(
            letters=self.shelf,
            store=self.shelf,
            publisher=publisher,
            loads=self.kafka,
            settings=Settings(**settings),
            sleep=self._rest,
            clock=lambda: self.seconds,
        )

    async def run(self, where: LetterFilter = ALL, *, requeuer: Requeuer | None = None, limit: int | None = None) -> Requeued:
        steps = [step async for step in (requeuer or self.requeuer).run(where, actor="cli:ada", limit=limit)]
        return steps[-1]

    def sent(self) -> list[int]:
        marks = [mark_of(record.headers) for record in self.kafka.records]
        return [mark.letter_id for mark in marks if mark is not None]

    async def _rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.seconds += seconds


@pytest.fixture
def world() -> World:
    return World()


async def test_the_original_goes_to_its_topic_and_partition_byte_for_byte_with_the_mark_as_the_only_addition(world: World) -> None:
    world.shelf.add(letter(7, value=b"\x00\xff{", key=None, requeues=1))

    done = await world.run()

    (record,) = world.kafka.records
    assert (record.topic, record.partition, record.key, record.value) == ("voc.calls", 3, None, b"\x00\xff{")
    assert unmarked(record.headers) == (("x", b"\xfe"), ("x", None))
    assert mark_of(record.headers) == RequeueMark(letter_id=7, attempt=2)
    assert (done.chosen, done.sent, done.left_out.total()) == (1, 1, 0)


async def test_a_record_without_a_value_goes_back_without_one(world: World) -> None:
    world.shelf.add(letter(7, value=None))
    await world.run()
    assert world.kafka.records[0].value is None


async def test_each_letter_goes_back_once_with_one_row_in_the_audit_log_however_often_it_is_asked_for(world: World) -> None:
    world.shelf.add(*(letter(number) for number in range(1, 51)), letter(90, fingerprint="f2"))

    assert (await world.run()).sent == 50
    assert (await world.run()).sent == 0
    assert sorted(world.sent()) == list(range(1, 51))
    assert sorted(world.shelf.audit) == [("cli:ada", number) for number in range(1, 51)]
    assert world.shelf.states[90] == "open"


async def test_what_was_published_before_an_interruption_goes_again_with_the_same_mark_and_one_row_in_the_audit_log(world: World) -> None:
    world.shelf.add(*(letter(number) for number in range(1, 6)))
    world.shelf.fails = OutageError("postgres", "connection lost")
    with pytest.raises(OutageError):
        await world.run()
    assert world.shelf.audit == []
    assert set(world.shelf.states.values()) == {"open"}

    world.shelf.fails = None
    assert (await world.run()).sent == 5
    first, second = world.kafka.records[:5], world.kafka.records[5:]
    assert first == second
    assert len(world.shelf.audit) == 5


async def test_a_record_that_fails_again_at_once_is_not_met_a_second_time_by_the_same_run(world: World) -> None:
    world.shelf.add(*(letter(number) for number in range(1, 61)))

    class Failing:
        async def publish(self, records: Sequence[Outgoing]) -> list[int]:
            offsets = await world.kafka.publish(records)
            for record in records:
                mark = mark_of(record.headers)
                assert mark is not None
                world.shelf.add(again(world.shelf.letters[mark.letter_id], 1000 + mark.letter_id))
            return offsets

    done = await world.run(requeuer=world.make(Failing()))

    assert done.sent == 60
    assert all(mark_of(record.headers) == RequeueMark(number, 1) for number, record in zip(world.sent(), world.kafka.records, strict=True))


async def test_attempts_are_capped_over_all_letters_of_a_record() -> None:
    world = World(dlq_max_requeues=2)
    world.shelf.add(letter(1, requeues=1), letter(2, requeues=2), letter(3, requeues=9))

    done = await world.run()

    assert world.sent() == [1]
    assert done.left_out == {"sent back 2 times already": 2}
    assert [world.shelf.states[number] for number in (2, 3)] == ["open", "open"]


async def test_what_is_not_whole_or_never_was_a_record_stays_open_with_the_reason(world: World) -> None:
    world.shelf.add(letter(1, cut_from=5_000_000), letter(2, partition=None, stage="poll"), letter(3), letter(4))
    world.shelf.unreadable.add(4)

    done = await world.run()

    assert world.sent() == [3]
    assert done.left_out == {
        "only the beginning of its value was kept": 1,
        "it never was a record of its topic": 1,
        "what is stored of it cannot be read": 1,
    }


async def test_what_another_requeue_holds_is_passed_over(world: World) -> None:
    world.shelf.add(letter(1), letter(2))
    world.shelf.lent.add(1)

    done = await world.run()

    assert (world.sent(), done.sent, done.left_out.total()) == ([2], 1, 1)


@pytest.mark.parametrize(
    ("stage", "error_type", "partition"),
    [
        ("voc", "malformed", 11),
        ("voc", "unknown_tenant", 11),
        ("voc", "rejected", 0),
        ("dedup", "malformed", 11),
        ("dedup", "rejected", 0),
        ("download", "rejected", 11),
        ("score", "attempts_exhausted", 11),
    ],
)
async def test_what_was_refused_after_its_id_was_remembered_goes_to_the_next_partition(
    world: World, stage: str, error_type: str, partition: int
) -> None:
    world.shelf.add(letter(1, partition=11, stage=stage, error_type=error_type))
    await world.run()
    assert world.kafka.records[0].partition == partition


async def test_where_there_is_no_next_partition_a_remembered_record_stays_open(world: World) -> None:
    world.kafka.partitions = 1
    world.shelf.add(letter(1, partition=0, error_type="rejected"), letter(2, partition=0))

    done = await world.run()

    assert world.sent() == [2]
    assert done.left_out == {"its id is remembered, and its topic has no other partition": 1}


async def test_a_partition_that_is_no_more_leaves_the_choice_to_the_key_and_a_topic_that_is_no_more_leaves_the_letter(world: World) -> None:
    world.kafka.partitions = 2
    world.shelf.add(letter(1, partition=7))
    await world.run()
    assert world.kafka.records[0].partition is None

    world.kafka.partitions = 0
    world.shelf.add(letter(2))
    assert (await world.run()).left_out == {"its topic is no more": 1}


async def test_one_record_that_kafka_refuses_does_not_keep_its_neighbours(world: World) -> None:
    world.kafka.largest = 10
    world.shelf.add(letter(1), letter(2, value=b"x" * 11), letter(3))

    done = await world.run()

    assert {number for number, state in world.shelf.states.items() if state == "requeued"} == {1, 3}
    assert done.left_out == {"refused by kafka": 1}
    assert done.sent == len(world.shelf.audit) == 2


async def test_the_rate_is_kept() -> None:
    world = World(dlq_requeue_rate=40.0)
    world.shelf.add(*(letter(number) for number in range(1, 101)))
    await world.run()
    assert sum(world.rests) == pytest.approx(100 / 40)


async def test_what_the_work_takes_is_part_of_the_time() -> None:
    world = World()

    class Slow:
        async def publish(self, records: Sequence[Outgoing]) -> list[int]:
            world.seconds += 0.3
            return await world.kafka.publish(records)

    world.shelf.add(*(letter(number) for number in range(1, 21)))
    await world.run(requeuer=world.make(Slow()))
    assert world.rests == [pytest.approx(20 / 50 - 0.3)]


async def test_a_topic_that_falls_behind_gets_less_and_then_nothing_until_it_has_caught_up() -> None:
    world = World(dlq_requeue_rate=20.0, dlq_requeue_max_event_lag=1000)
    world.shelf.add(*(letter(number) for number in range(1, 61)))
    world.kafka.lags["voc.calls"] = [0, 750, 5000, 1000, 0]
    steps = [(step.sent, step.waiting) async for step in world.requeuer.run(ALL, actor="cli:ada")]

    assert steps == [(0, ""), (20, ""), (40, ""), (40, "voc.calls is 5000 records behind"), (40, "voc.calls is 1000 records behind"), (60, "")]
    assert world.rests == [pytest.approx(1.0), pytest.approx(2.0), 2.0, 2.0, pytest.approx(1.0)]


async def test_a_topic_that_is_behind_keeps_no_other_and_calls_are_behind_sooner_than_events() -> None:
    world = World(dlq_requeue_max_lag=100, dlq_requeue_max_event_lag=1000)
    world.shelf.add(letter(1, topic=topics.AUDIO_READY, stage="score"), letter(2))
    world.kafka.lags = {topics.AUDIO_READY: [500, 500, 0], "voc.calls": [500]}

    await world.run()

    assert world.sent() == [2, 1]


async def test_no_more_than_asked_for_are_sent(world: World) -> None:
    world.shelf.add(*(letter(number) for number in range(1, 61)))
    assert (await world.run(limit=25)).sent == 25
    assert len(world.kafka.records) == 25
    assert (await world.run(LetterFilter(ids=[3, 60]))).sent == 1
