"""Dead letters go back to their topics: original bytes, key and headers, below live traffic, each once (spec section 6, ADR 0016).

A letter is lent in a transaction, published, and `requeued` when the transaction ends. Killed in between, it stays open, and the next requeue
publishes it again with the same mark: the pipelines drop the copy (events by their id, calls by call_id and status), and the audit log has one row.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from voc_stream.clients.letter_rows import LetterFilter, LetterRow
from voc_stream.clients.topic_load import TopicLoad
from voc_stream.errors import RejectedError
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.letter_reading import KEYED_BY_CALL, StoredLetter
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Publishes
from voc_stream.services.trial import DECIDED_OUTSIDE
from voc_stream.settings import Settings
from voc_stream.stages.requeue_mark import RequeueMark
from voc_stream.stages.requeue_pace import RequeuePace

logger = get_logger(__name__)

# How often a topic that is too far behind is looked at again.
LOOK_SECONDS = 2.0

# These remember the ids of what they took up, each partition its own, before the outside refuses it: there, the same id is a duplicate for a day.
_REMEMBERING = frozenset({"voc", "dedup"})


class Letters(Protocol):
    """What is needed of the stored letters."""

    async def find(self, where: LetterFilter, limit: int, after: int | None = None) -> list[LetterRow]:
        """Return letters without their originals, newest first."""

    async def get(self, letter_id: int) -> StoredLetter | None:
        """Return a letter with its original."""


class Lent(Protocol):
    """What is needed of a loan."""

    ids: frozenset[int]
    along: frozenset[int]

    async def bring_back(self, letters: Sequence[LetterRow], now: datetime) -> None:
        """Move the letters' calls to where the stages expect them."""

    def sent(self, letter: LetterRow, partition: int | None, offset: int) -> None:
        """Note that Kafka has a record again."""


class Lends(Protocol):
    """What is needed of the letters that are sent back."""

    async def open_by_topic(self, where: LetterFilter) -> dict[str, int]:
        """Return how many open letters there are in each topic."""

    def lend(self, ids: Sequence[int], *, actor: str, now: datetime) -> AbstractAsyncContextManager[Lent]:
        """Lend letters; what the block calls sent is requeued when it ends."""


class Loads(Protocol):
    """What is needed of Kafka."""

    async def of(self, topic: str) -> TopicLoad:
        """Return a topic's partitions and lag."""


@dataclass(slots=True)
class Requeued:
    """What has been done so far.

    Attributes:
        chosen: open letters at the beginning.
        sent: published again.
        along: older letters of the same record or call, which went with those.
        left_out: why others stay open, and how many.
        waiting: which topics are too far behind, and how far; empty while something is sent.
    """

    chosen: int
    sent: int = 0
    along: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    waiting: str = ""


@dataclass(slots=True)
class _Lane:
    topic: str
    pace: RequeuePace
    after: int | None = None


class Requeuer:
    """Sends letters back.

    Args:
        letters: the stored ones.
        store: lends them.
        publisher: takes the records.
        loads: of the topics.
        settings: DLQ_*.
        sleep: how to wait; replaced in tests.
        clock: monotonic seconds; replaced in tests.
        now: the time; replaced in tests.
    """

    def __init__(
        self,
        *,
        letters: Letters,
        store: Lends,
        publisher: Publishes,
        loads: Loads,
        settings: Settings,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._letters = letters
        self._store = store
        self._publisher = publisher
        self._loads = loads
        self._settings = settings
        self._sleep = sleep
        self._now = now

    async def run(self, where: LetterFilter, *, actor: str, limit: int | None = None) -> AsyncGenerator[Requeued, None]:
        """Send open letters back, newest first, until there are none; tells how far it is whenever it may be stopped without harm.

        Newest first, because a record that fails again becomes a letter that is newer than all of these: it is not met a second time.

        Args:
            where: which; their state is given.
            actor: for the audit log.
            limit: how many letters at most.

        Raises:
            OutsideError: Kafka or PostgreSQL failed; the same call goes on where this one ended.
        """
        by_topic = await self._store.open_by_topic(where)
        done = Requeued(chosen=sum(by_topic.values()))
        lanes = [_Lane(topic, self._pace(topic)) for topic in by_topic]
        yield done
        while lanes:
            behind: dict[str, int] = {}
            for lane in tuple(lanes):
                left = lane.pace.at_once if limit is None else min(lane.pace.at_once, limit - done.sent)
                if left <= 0:
                    return
                load = await self._loads.of(lane.topic)
                if not lane.pace.at(load.lag):
                    behind[lane.topic] = load.lag
                    continue
                page = await self._letters.find(replace(where, topic=lane.topic, state="open"), left, lane.after)
                if not page:
                    lanes.remove(lane)
                    continue
                lane.after = page[-1].id
                began = self._clock()
                sent = await self._send(page, load, actor, done)
                metrics.REQUEUED.labels(lane.topic).inc(sent)
                logger.info("dead letters requeued", topic=lane.topic, letters=sent, left_open=len(page) - sent)
                done.waiting = ""
                yield done
                rest = (lane.pace.seconds(sent, load.lag) or 0.0) - (self._clock() - began)
                await self._sleep(max(0.0, rest))
            if lanes and len(behind) == len(lanes):
                done.waiting = ", ".join(f"{topic} is {lag} records behind" for topic, lag in behind.items())
                yield done
                await self._sleep(LOOK_SECONDS)

    def _pace(self, topic: str) -> RequeuePace:
        settings = self._settings
        lag = settings.dlq_requeue_max_lag if topic in KEYED_BY_CALL else settings.dlq_requeue_max_event_lag
        return RequeuePace(settings.dlq_requeue_rate, lag)

    async def _send(self, page: Sequence[LetterRow], load: TopicLoad, actor: str, done: Requeued) -> int:
        """Send what can be sent of a page; what is refused as a whole is tried one by one."""
        opened: list[tuple[LetterRow, StoredLetter]] = []
        for row in page:
            why = obstacle(row, self._settings.dlq_max_requeues) or _nowhere(row, load.partitions)
            letter = None if why else await self._opened(row)
            if letter is not None:
                opened.append((row, letter))
            else:
                done.left_out[why or "what is stored of it cannot be read"] += 1
        before = done.sent
        try:
            await self._publish(opened, load.partitions, actor, done)
        except RejectedError:
            for each in opened:
                try:
                    await self._publish([each], load.partitions, actor, done)
                except RejectedError as error:
                    logger.warning("a dead letter cannot be sent back", letter=each[0].id, topic=each[0].topic, reason=str(error))
                    done.left_out[f"refused by {error.dependency}"] += 1
        return done.sent - before

    async def _opened(self, row: LetterRow) -> StoredLetter | None:
        try:
            return await self._letters.get(row.id)
        except RejectedError as error:
            logger.error("a dead letter cannot be read", letter=row.id, reason=str(error))
            return None

    async def _publish(self, opened: Sequence[tuple[LetterRow, StoredLetter]], partitions: int, actor: str, done: Requeued) -> None:
        if not opened:
            return
        now = self._now()
        async with self._store.lend([row.id for row, _ in opened], actor=actor, now=now) as loan:
            mine = [(row, letter) for row, letter in opened if row.id in loan.ids]
            await loan.bring_back([row for row, _ in mine], now)
            records = [record_of(row, letter, partitions) for row, letter in mine]
            offsets = await self._publisher.publish(records)
            for (row, _), record, offset in zip(mine, records, offsets, strict=True):
                loan.sent(row, record.partition, offset)
        done.sent += len(mine)
        done.along += len(loan.along)
        if passed_over := sum(row.id not in loan.ids and row.id not in loan.along for row, _ in opened):
            done.left_out["a newer letter of the same record or call is open, or another requeue has it"] += passed_over


def obstacle(row: LetterRow, most_requeues: int) -> str | None:
    """Return why a letter cannot be sent back whatever the stage would say; None where it can."""
    if row.partition is None:
        return "it never was a record of its topic"
    if row.cut_from is not None:
        return "only the beginning of its value was kept"
    if row.requeues >= most_requeues:
        return f"sent back {most_requeues} times already"
    return None


def record_of(row: LetterRow, letter: StoredLetter, partitions: int) -> Outgoing:
    """Return the record that goes back: as it was, and the mark.

    It goes to its partition, where copies of it are known as such; by its key, if that partition is no more. What was refused only after its id had
    been remembered goes to the next partition: in its own it would be dropped as a duplicate of itself.
    """
    partition = row.partition or 0
    if _is_remembered(row):
        partition = (partition + 1) % partitions
    mark = RequeueMark(row.id, row.requeues + 1)
    return Outgoing(row.topic, letter.key, letter.value, mark.added_to(letter.headers), partition if partition < partitions else None)


def _nowhere(row: LetterRow, partitions: int) -> str | None:
    if not partitions:
        return "its topic is no more"
    if partitions == 1 and _is_remembered(row):
        return "its id is remembered, and its topic has no other partition"
    return None


def _is_remembered(row: LetterRow) -> bool:
    return row.stage in _REMEMBERING and row.error_type in DECIDED_OUTSIDE
