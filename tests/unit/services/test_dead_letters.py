"""Dead letters are stored before their offsets are committed, and what fails is read again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import CommitFailedError, KafkaConnectionError, KafkaError
from aiokafka.structs import ConsumerRecord, TopicPartition

from voc_stream.errors import OutageError, RejectedError, TransientError
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.letter_reading import StoredLetter
from voc_stream.services.dead_letters import BYTES_AT_ONCE, LINGER_SECONDS, LetterIntake, letter_consumer
from voc_stream.settings import load_settings

TOPICS = ["calls.raw.dlq"]


@dataclass
class Kafka:
    """A dead-letter topic of one partition, its group's offset, and the consumers that were made; it stops the intake when all is committed."""

    values: list[bytes]
    at_once: int = 100
    committed: int = 0
    stopped: bool = False
    open: int = 0
    made: int = 0
    start_fails: list[Exception] = field(default_factory=list)
    commit_fails: list[Exception] = field(default_factory=list)

    def consumer(self) -> Consumer:
        self.made += 1
        return Consumer(self)

    def finished(self) -> bool:
        return self.stopped


class Consumer:
    """A consumer of the topic, from the group's offset on."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._position = kafka.committed

    async def start(self) -> None:
        self._kafka.open += 1
        if self._kafka.start_fails:
            raise self._kafka.start_fails.pop(0)

    def subscribe(self, topics: Sequence[str]) -> None:
        assert list(topics) == TOPICS

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        assert timeout_ms > 0
        first, self._position = self._position, min(self._position + min(max_records, self._kafka.at_once), len(self._kafka.values))
        if first == self._position:
            self._kafka.stopped = True
            return {}
        records = [
            ConsumerRecord(TOPICS[0], 0, offset, 0, 0, None, self._kafka.values[offset], None, 0, 0, ()) for offset in range(first, self._position)
        ]
        return {TopicPartition(TOPICS[0], 0): records}

    async def commit(self) -> None:
        if self._kafka.commit_fails:
            raise self._kafka.commit_fails.pop(0)
        self._kafka.committed = self._position

    async def stop(self) -> None:
        self._kafka.open -= 1


class Store:
    """Keeps letters by offset; raises what a test wants."""

    def __init__(self, kafka: Kafka, *fails: Exception, refuses: bytes | None = None) -> None:
        self.kept: dict[int, bytes | None] = {}
        self.puts: list[int] = []
        self._kafka = kafka
        self._fails = list(fails)
        self._refuses = refuses

    async def put(self, letters: Sequence[StoredLetter]) -> None:
        if self._fails:
            raise self._fails.pop(0)
        if self._refuses in [letter.value for letter in letters]:
            reason = "cannot be stored"
            raise RejectedError("postgres", reason)
        assert self._kafka.committed <= letters[0].dlq_offset, "nothing is committed before it is stored"
        self.puts.append(len(letters))
        self.kept.update({letter.dlq_offset: letter.value for letter in letters})


async def no_pause(_seconds: float) -> None:
    """Pass at once."""


async def well() -> None:
    """Answer a probe."""


def intake(kafka: Kafka, store: Store, *, gate: Gate | None = None, sleep: Callable[[float], Awaitable[None]] = no_pause) -> LetterIntake:
    closing = gate or Gate("postgres", well, sleep=no_pause)
    return LetterIntake(store, closing, consumer=kafka.consumer, topics=TOPICS, stopping=kafka.finished, sleep=sleep)


def all_kept(kafka: Kafka, store: Store) -> bool:
    return [store.kept.get(offset) for offset in range(len(kafka.values))] == kafka.values and kafka.committed == len(kafka.values)


async def test_letters_are_stored_and_then_committed_and_the_consumer_is_closed() -> None:
    kafka = Kafka([b"a", b"b", b"c"], at_once=2)
    store = Store(kafka)
    await intake(kafka, store).run()
    assert all_kept(kafka, store)
    assert (store.puts, kafka.made, kafka.open) == ([2, 1], 1, 0)


async def test_an_outage_of_postgresql_closes_its_gate_and_the_letters_are_read_again_from_what_was_committed() -> None:
    kafka = Kafka([b"a", b"b"])
    gate = Gate("postgres", well, sleep=no_pause)
    store = Store(kafka, OutageError("postgres", "down"))
    open_at_pause: list[bool] = []

    async def sleep(_seconds: float) -> None:
        open_at_pause.append(gate.is_open)

    await intake(kafka, store, gate=gate, sleep=sleep).run()
    assert open_at_pause[0] is False
    assert all_kept(kafka, store)
    assert (kafka.made, kafka.open) == (2, 0)
    await gate.stop()


async def test_a_conflict_in_postgresql_leaves_its_gate_open() -> None:
    kafka = Kafka([b"a"])
    gate = Gate("postgres", well, sleep=no_pause)
    store = Store(kafka, TransientError("postgres", "no answer in time"))
    await intake(kafka, store, gate=gate).run()
    assert gate.is_open
    assert all_kept(kafka, store)


async def test_nothing_is_read_while_postgresql_is_down() -> None:
    kafka = Kafka([b"a"])
    made_before_probe: list[int] = []

    async def probe() -> None:
        made_before_probe.append(kafka.made)

    gate = Gate("postgres", probe, sleep=no_pause)
    gate.close(OutageError("postgres", "down"))
    store = Store(kafka)
    await intake(kafka, store, gate=gate).run()
    assert made_before_probe == [0]
    assert all_kept(kafka, store)


async def test_one_letter_that_postgresql_refuses_does_not_hold_the_others() -> None:
    kafka = Kafka([b"a", b"bad", b"c"])
    store = Store(kafka, refuses=b"bad")
    await intake(kafka, store).run()
    assert store.kept == {0: b"a", 2: b"c"}
    assert kafka.committed == 3


async def test_large_letters_go_in_transactions_of_bounded_size() -> None:
    half = BYTES_AT_ONCE // 8 * 3
    kafka = Kafka([b"a" * half, b"b" * half, b"c" * half, b"d"])
    store = Store(kafka)
    await intake(kafka, store).run()
    assert store.puts == [2, 2]


async def test_kafka_s_outage_and_unknown_errors_are_waited_for_and_pauses_grow() -> None:
    kafka = Kafka([b"a"], start_fails=[KafkaConnectionError(), RuntimeError("new"), TimeoutError()])
    store = Store(kafka)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    await intake(kafka, store, sleep=sleep).run()
    assert pauses == [1.0, 2.0, 4.0, LINGER_SECONDS]
    assert all_kept(kafka, store)
    assert kafka.open == 0


async def test_a_commit_that_a_rebalance_made_void_is_made_up_for_by_the_next() -> None:
    kafka = Kafka([b"a", b"b"], at_once=1, commit_fails=[CommitFailedError()])
    store = Store(kafka)
    await intake(kafka, store).run()
    assert all_kept(kafka, store)
    assert kafka.made == 1


async def test_a_commit_that_fails_otherwise_means_to_read_again() -> None:
    kafka = Kafka([b"a"], commit_fails=[KafkaError()])
    store = Store(kafka)
    await intake(kafka, store).run()
    assert all_kept(kafka, store)
    assert (kafka.made, store.puts) == (2, [1, 1])


async def test_the_consumer_is_of_a_group_of_its_own_and_commits_nothing_by_itself() -> None:
    consumer: Any = letter_consumer(load_settings(kafka_group_id="voc"))
    assert (consumer._group_id, consumer._enable_auto_commit, consumer._auto_offset_reset) == ("voc-dead-letters", False, "earliest")
    await consumer.stop()
