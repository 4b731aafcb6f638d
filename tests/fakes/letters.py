"""Stored dead letters and what a requeue needs around them, in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from voc_stream.clients.letter_rows import LetterFilter, LetterRow, State
from voc_stream.clients.topic_load import TopicLoad
from voc_stream.errors import OutsideError, RejectedError
from voc_stream.runtime.letter_reading import AnyHeaders, StoredLetter
from voc_stream.runtime.outgoing import Outgoing

FAILED_AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def letter(
    number: int,
    *,
    topic: str = "voc.calls",
    partition: int | None = 3,
    stage: str = "voc",
    error_type: str = "malformed",
    reason: str = "the value is not UTF-8",
    fingerprint: str = "f1",
    value: bytes | None = b"\xff",
    key: bytes | None = b"k\x00",
    headers: AnyHeaders = (("x", b"\xfe"), ("x", None)),
    requeues: int = 0,
    cut_from: int | None = None,
    call_id: str | None = None,
    tenant_id: str | None = "acme",
) -> StoredLetter:
    """Return a letter whose dead letter, and original, have this offset."""
    return StoredLetter(
        topic=topic,
        partition=partition,
        offset=None if partition is None else number,
        dlq_topic=f"{topic}.dlq",
        dlq_partition=partition or 0,
        dlq_offset=number,
        written_at=FAILED_AT,
        stage=stage,
        tenant_id=tenant_id,
        call_id=call_id,
        error_type=error_type,
        reason=reason,
        stack="",
        fingerprint=fingerprint,
        retries=0,
        first_failed_at=FAILED_AT,
        last_failed_at=FAILED_AT,
        requeues=requeues,
        cut_from=cut_from,
        key=key,
        value=value,
        headers=headers,
        id=number,
    )


@dataclass
class Loan:
    """As the store's: what was sent counts when the block ends."""

    ids: frozenset[int]
    along: frozenset[int] = frozenset()
    brought_back: list[int] = field(default_factory=list)
    told: list[tuple[int, int | None, int]] = field(default_factory=list)

    async def bring_back(self, letters: Sequence[LetterRow], now: datetime) -> None:
        assert now.tzinfo is not None
        self.brought_back += [row.id for row in letters]

    def sent(self, letter: LetterRow, partition: int | None, offset: int) -> None:
        assert letter.id in self.brought_back, "its call is moved before anything is published"
        self.told.append((letter.id, partition, offset))


@dataclass
class Shelf:
    """Letters by id, with their states.

    Attributes:
        audit: (actor, letter) of each that was sent back.
        lent: ids that another requeue holds.
        unreadable: ids whose originals were altered.
        fails: raised when a loan ends, in place of writing it down.
    """

    letters: dict[int, StoredLetter] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    audit: list[tuple[str, int]] = field(default_factory=list)
    lent: set[int] = field(default_factory=set)
    unreadable: set[int] = field(default_factory=set)
    fails: OutsideError | None = None

    def add(self, *letters: StoredLetter) -> None:
        for each in letters:
            assert each.id is not None
            self.letters[each.id] = each
            self.states[each.id] = each.state

    async def find(self, where: LetterFilter, limit: int, after: int | None = None) -> list[LetterRow]:
        found = [number for number in sorted(self.letters, reverse=True) if self._matches(number, where) and (after is None or number < after)]
        return [self._row(number) for number in found[:limit]]

    async def get(self, letter_id: int) -> StoredLetter | None:
        if letter_id in self.unreadable:
            raise RejectedError("vault", "sealed text was altered")
        return self.letters.get(letter_id)

    async def open_by_topic(self, where: LetterFilter) -> dict[str, int]:
        counts: dict[str, int] = {}
        for number, each in self.letters.items():
            if self.states[number] == "open" and self._matches(number, where):
                counts[each.topic] = counts.get(each.topic, 0) + 1
        return counts

    @asynccontextmanager
    async def lend(self, ids: Sequence[int], *, actor: str, now: datetime) -> AsyncIterator[Loan]:
        assert now.tzinfo is not None
        loan = Loan(frozenset(number for number in ids if self.states[number] == "open" and number not in self.lent))
        yield loan
        if self.fails is not None:
            raise self.fails
        for number, _, _ in loan.told:
            self.states[number] = "requeued"
            self.audit.append((actor, number))

    def _matches(self, number: int, where: LetterFilter) -> bool:
        each = self.letters[number]
        return (
            (not where.ids or number in where.ids)
            and where.fingerprint in {None, each.fingerprint}
            and where.topic in {None, each.topic}
            and where.state in {None, self.states[number]}
        )

    def _row(self, number: int) -> LetterRow:
        each = self.letters[number]
        return LetterRow(
            id=number,
            state=self.states[number],
            topic=each.topic,
            partition=each.partition,
            offset=each.offset,
            stage=each.stage,
            tenant_id=each.tenant_id,
            call_id=each.call_id,
            error_type=each.error_type,
            reason=each.reason,
            fingerprint=each.fingerprint,
            retries=each.retries,
            first_failed_at=each.first_failed_at,
            last_failed_at=each.last_failed_at,
            cut_from=each.cut_from,
            requeues=each.requeues,
            requeued_from=each.requeued_from,
            requeued_at=None,
        )


@dataclass
class Kafka:
    """Takes records and tells loads.

    Attributes:
        records: in the order in which they came.
        lags: of each topic; one that is not named has none. Each look takes the next of several.
        largest: bytes of a value beyond which a batch is refused.
    """

    records: list[Outgoing] = field(default_factory=list)
    lags: dict[str, list[int]] = field(default_factory=dict)
    partitions: int = 12
    largest: int = 1 << 20

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        for record in records:
            if len(record.value or b"") > self.largest:
                raise RejectedError("kafka", "a record is larger than Kafka takes")
            self.records.append(record)
        return list(range(len(self.records) - len(records), len(self.records)))

    async def of(self, topic: str) -> TopicLoad:
        lags = self.lags.get(topic, [0])
        return TopicLoad(self.partitions, lags.pop(0) if len(lags) > 1 else lags[0])


def again(first: StoredLetter, number: int) -> StoredLetter:
    """Return the letter that a record becomes which failed once more."""
    return replace(first, id=number, offset=number, dlq_offset=number, requeues=first.requeues + 1, requeued_from=first.id)
