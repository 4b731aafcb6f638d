"""Reads every dead-letter topic and stores what is there, so that it can be looked at, sent back or discarded (spec section 6, ADR 0016)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, KafkaError

from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.letter_reading import StoredLetter, read_letter
from voc_stream.runtime.metadata_pace import pace_metadata
from voc_stream.settings import Settings
from voc_stream.topic_admin import kafka_security
from voc_stream.topics import dead_letter_topics

logger = get_logger(__name__)

GROUP_SUFFIX = "-dead-letters"
AT_ONCE = 500
# Of originals, in one transaction.
BYTES_AT_ONCE = 4 << 20

_WAIT_MS = 1000
# Letters that trickle in share a transaction, a commit and a line in the log.
LINGER_SECONDS = 0.25
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0


class Keeps(Protocol):
    """What is needed of the store."""

    async def put(self, letters: Sequence[StoredLetter]) -> None:
        """Store letters, once each."""


class LetterIntake:
    """Stores dead letters until the worker stops. It never ends the worker, and never makes it unready by itself.

    Whatever fails, the consumer is closed, and what was not committed is read again later: so nothing is held in memory during an outage.

    Args:
        letters: the store.
        gate: PostgreSQL's: nothing is read while it is closed.
        consumer: makes a consumer of the group, not started.
        topics: what to read.
        stopping: whether the worker stops.
        sleep: how to wait; replaced in tests.
    """

    def __init__(
        self,
        letters: Keeps,
        gate: Gate,
        *,
        consumer: Callable[[], Any],
        topics: Sequence[str],
        stopping: Callable[[], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._letters = letters
        self._gate = gate
        self._consumer = consumer
        self._topics = topics
        self._stopping = stopping
        self._sleep = sleep
        self._pause = _FIRST_PAUSE

    async def run(self) -> None:
        """Read and store until the worker stops."""
        while not self._stopping():
            await self._gate.passed()
            try:
                async with self._started() as consumer:
                    await self._read(consumer)
            except OutsideError as error:
                if isinstance(error, OutageError):
                    self._gate.close(error)
                logger.warning("dead letters could not be stored: they are read again", dependency=error.dependency, reason=error.reason)
            except (KafkaError, TimeoutError, OSError) as error:
                logger.warning("dead letters cannot be read: they wait in Kafka", error=type(error).__name__)
            except Exception:
                # They are copies to look at: the pipelines go on without them.
                logger.exception("reading dead letters met an error it does not know")
            if not self._stopping():
                await self._sleep(self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    async def _read(self, consumer: Any) -> None:
        while not self._stopping() and self._gate.is_open:
            fetched = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=AT_ONCE)
            self._pause = _FIRST_PAUSE
            letters = [read_letter(record) for records in fetched.values() for record in records]
            if not letters:
                continue
            for portion in _portions(letters):
                await self._keep(portion)
            try:
                await consumer.commit()
            except CommitFailedError:
                logger.info("dead letters went to another worker meanwhile, which stores them once more", letters=len(letters))
            if len(letters) < AT_ONCE:
                await self._sleep(LINGER_SECONDS)

    async def _keep(self, letters: Sequence[StoredLetter]) -> None:
        try:
            await self._letters.put(letters)
        except RejectedError as error:
            if len(letters) > 1:
                for letter in letters:
                    await self._keep([letter])
                return
            _tell("rejected", letters)
            place = {"topic": letters[0].dlq_topic, "partition": letters[0].dlq_partition, "offset": letters[0].dlq_offset}
            logger.error("PostgreSQL refuses a dead letter: it is in its topic only", **place, reason=error.reason)
            return
        _tell("stored", letters)
        logger.info("dead letters stored", letters=len(letters), stages=sorted({letter.stage for letter in letters}))

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[Any]:
        consumer = self._consumer()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await consumer.start()
            # Not before: to start would wait for every topic to be there, and for the group.
            consumer.subscribe(self._topics)
            yield consumer
        finally:
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await consumer.stop()
            except (KafkaError, TimeoutError, OSError) as error:
                logger.info("the consumer of dead letters did not leave its group: the group finds out", error=type(error).__name__)


def letter_consumer(settings: Settings) -> Any:
    """Return a consumer of the dead letters' group, not started: few bytes at once, and few requests while there is nothing.

    Args:
        settings: KAFKA_*.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(settings.kafka_bootstrap),
        client_id="voc-stream-dead-letters",
        group_id=f"{settings.kafka_group_id}{GROUP_SUFFIX}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        # Topics have partitions in common numbers: a range of each would give the first workers all of them.
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        session_timeout_ms=int(settings.kafka_session_timeout * 1000),
        heartbeat_interval_ms=int(settings.kafka_session_timeout * 250),
        fetch_max_wait_ms=5000,
        fetch_max_bytes=BYTES_AT_ONCE,
        # Of each partition; a letter that is larger comes alone.
        max_partition_fetch_bytes=64 << 10,
        **kafka_security(settings),
    )
    pace_metadata(consumer._client)  # noqa: SLF001 - it has no public name
    return consumer


def letter_intake(letters: Keeps, gate: Gate, settings: Settings, stopping: Callable[[], bool]) -> LetterIntake:
    """Return the intake of all dead-letter topics."""
    return LetterIntake(letters, gate, consumer=lambda: letter_consumer(settings), topics=dead_letter_topics(settings), stopping=stopping)


def _portions(letters: Sequence[StoredLetter]) -> Iterator[Sequence[StoredLetter]]:
    portion: list[StoredLetter] = []
    size = 0
    for letter in letters:
        size += len(letter.value or b"")
        if portion and size > BYTES_AT_ONCE:
            yield portion
            portion, size = [], len(letter.value or b"")
        portion.append(letter)
    yield portion


def _tell(outcome: str, letters: Sequence[StoredLetter]) -> None:
    for letter in letters:
        metrics.LETTERS_READ.labels(letter.dlq_topic, outcome).inc()
