"""What becomes of a window's records that cannot pass: dead letters, at their tenant's rate; the rest waits in the overflow topic (ADR 0017)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from voc_stream.errors import RejectedError
from voc_stream.runtime import metrics
from voc_stream.runtime.dead_letter import dead_letter_record
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.letter_writing import write_letters
from voc_stream.runtime.outgoing import Headers, Outgoing
from voc_stream.runtime.patience import Patience
from voc_stream.runtime.pauses import Pauses
from voc_stream.runtime.stage import Publishes
from voc_stream.stages.outcome import DeadLetter, Facts
from voc_stream.stages.ranges import Place
from voc_stream.stages.self_pause import tenant_in
from voc_stream.stages.windows import Window

STAGE = "voc"

# Of rubbish that waits in the overflow topic: `topic/partition/offset` of where it was met. Its dead letter is written as if from there.
MOVED_FROM = "voc-moved-from"
_MOVED_FROM = re.compile(rb"([A-Za-z0-9._-]{1,249})/([0-9]{1,9})/([0-9]{1,18})")

T = TypeVar("T")

Letter: TypeAlias = tuple[Any, DeadLetter]


def dead_of(letters: Iterable[Letter]) -> Counter[str | None]:
    """Return how many letters are of which tenant. Who is unknown may have any name, and counts as nobody."""
    return Counter(_tenant_of(letter) for letter in letters)


class WindowLetters:
    """Of one partition.

    Args:
        place: the partition.
        publisher: sends to Kafka.
        kafka: its gate.
        pauses: what stands still.
        overflow_topic: where events of moved tenants go; and where rubbish waits that comes faster than its tenant's rate.
        sources: the topics that this worker reads; of others, no dead letter can be written.
        patience: of the task that runs this.
        now: the time.
    """

    def __init__(
        self,
        place: Place,
        *,
        publisher: Publishes,
        kafka: Gate,
        pauses: Pauses,
        overflow_topic: str,
        sources: Container[str],
        patience: Patience,
        now: Callable[[], datetime],
    ) -> None:
        self._place = place
        self._publisher = publisher
        self._kafka = kafka
        self._pauses = pauses
        self._overflow_topic = overflow_topic
        self._sources = sources
        self._patience = patience
        self._now = now

    async def send(self, window: Window) -> None:
        """Write a window's dead letters and move what moves; done when all of it is acknowledged."""
        await self._believe_rejections(window)
        moved = [
            (Outgoing(self._overflow_topic, str(UUID(event.event_id)).encode(), record.value, _unmarked(record)), record)
            for event, record in window.moved
        ]
        refused = await self._move(moved)
        window.letters = await self._at_their_rates(window.letters)
        letters = window.letters + [(record, DeadLetter("rejected", "the overflow topic does not accept the record")) for record in refused]
        if letters:
            await self._write(letters)

    async def _believe_rejections(self, window: Window) -> None:
        """Wait while ClickHouse's refusals are so many that the stage pauses itself: the rest of the window is stored, these rows may yet be."""
        rejected = [letter for letter in window.letters if letter[1].error_type == "rejected"]
        while rejected and not self._pauses.note(STAGE, len(window.records) - len(rejected), dead_of(rejected)):
            await self._patience.wait(self._pauses.passed(STAGE))

    async def _at_their_rates(self, letters: Sequence[Letter]) -> list[Letter]:
        """Keep the letters that may be written now. In the overflow topic all may, after a while; elsewhere the others move there, and wait."""
        dead = dead_of(letters)
        if self._place.topic == self._overflow_topic:
            for tenant_id in dead:
                while (wait := self._pauses.wait_of(STAGE, tenant_id)) > 0:
                    await self._patience.rest(wait)
            self._pauses.spend(STAGE, dead)
            return list(letters)
        left = Counter({tenant_id: self._pauses.take(STAGE, tenant_id, count) for tenant_id, count in dead.items()})
        kept: list[Letter] = []
        moving: list[tuple[Outgoing, Letter]] = []
        for letter in letters:
            record, tenant_id = letter[0], _tenant_of(letter)
            if left[tenant_id] > 0:
                left[tenant_id] -= 1
                kept.append(letter)
            else:
                moving.append((Outgoing(self._overflow_topic, record.key, record.value, self._marked(record)), letter))
        refused = await self._move(moving)
        metrics.THROTTLED.labels(STAGE).inc(len(moving) - len(refused))
        metrics.EVENTS_PROCESSED.labels(self._place.topic, "moved").inc(len(moving) - len(refused))
        return kept + refused

    async def _move(self, moving: Sequence[tuple[Outgoing, T]]) -> list[T]:
        """Send records to the overflow topic; return what belongs to those that it finds too large."""
        if not moving or await self._accepted([outgoing for outgoing, _ in moving]):
            return []
        return [whose for outgoing, whose in moving if not await self._accepted([outgoing])]

    async def _accepted(self, records: Sequence[Outgoing]) -> bool:
        try:
            await self._patience.through_outages(lambda: self._publisher.publish(records), rejections=False)
        except RejectedError:
            return False
        return True

    def _marked(self, record: Any) -> Headers:
        return (*_unmarked(record), (MOVED_FROM, f"{self._place.topic}/{self._place.partition}/{record.offset}".encode()))

    def _facts(self, record: Any, now: datetime) -> Facts:
        """Return where a record is from: in the overflow topic its mark says so. Elsewhere a mark is a stranger's."""
        marks = [value or b"" for name, value in record.headers if name == MOVED_FROM and self._place.topic == self._overflow_topic]
        found = _MOVED_FROM.fullmatch(marks[-1]) if marks else None
        if found is None or found[1].decode() not in self._sources:
            return Facts(now, self._place.topic, self._place.partition, record.offset)
        return Facts(now, found[1].decode(), int(found[2]), int(found[3]))

    async def _write(self, letters: Sequence[Letter]) -> None:
        now = self._now()
        records = [dead_letter_record(_Original.of(record), self._facts(record, now), STAGE, letter) for record, letter in letters]
        await self._patience.through_outages(
            lambda: write_letters(self._publisher, records, stage=STAGE, kafka=self._kafka, pauses=self._pauses, wait=self._patience.rest)
        )
        for _, letter in letters:
            metrics.DEAD_LETTERS.labels(STAGE, letter.error_type).inc()


@dataclass(frozen=True, slots=True)
class _Original:
    """A record as its producer sent it."""

    key: bytes | None
    value: bytes | None
    headers: Headers

    @classmethod
    def of(cls, record: Any) -> _Original:
        return cls(record.key, record.value, _unmarked(record))


def _unmarked(record: Any) -> Headers:
    return tuple((name, value) for name, value in record.headers if name != MOVED_FROM)


def _tenant_of(letter: Letter) -> str | None:
    record, why = letter
    return None if why.error_type == "unknown_tenant" else tenant_in(record.value)
