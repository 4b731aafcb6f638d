"""Offsets that are not stored are looked at one by one, up to a bound; of those beyond it the ledger of windows is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tests.voc import call_value, event_id
from voc_stream.clients.topic_reader import Stretch
from voc_stream.services.event_census import EventCensus
from voc_stream.stages.completeness import NOBODY, Equation
from voc_stream.stages.ranges import ClaimId, Place, Seen, encode_row

HOUR = datetime(2026, 11, 22, 9, tzinfo=UTC)
NOW = HOUR + timedelta(hours=2)
PLACE = Place("1", "voc.calls", 0)
STAMP = int(HOUR.timestamp() * 1000)


@dataclass
class Record:
    """Kafka's record."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = STAMP


class Kafka:
    """Stands for the reader: one partition of events, and the ledger's changelog."""

    def __init__(self, events: Sequence[bytes], ledger: Sequence[Seen] = ()) -> None:
        self._events = [Record(offset, value) for offset, value in enumerate(events)]
        self._ledger = [Record(offset, encode_row(row), row.key(PLACE)) for offset, row in enumerate(ledger)]
        self.read_stretches: list[tuple[int, int]] = []

    def _records(self, topic: str) -> list[Record]:
        return self._events if topic == PLACE.topic else self._ledger

    async def stretches(self, topic: str, _since: datetime, _until: datetime | None = None) -> dict[int, Stretch]:
        return {0: Stretch(0, len(self._records(topic)), 0)}

    async def read(self, topic: str, stretches: Mapping[int, tuple[int, int]]) -> AsyncIterator[Sequence[Record]]:
        first, end = stretches[0]
        if topic == PLACE.topic:
            self.read_stretches.append((first, end))
        yield self._records(topic)[first:end]


class Stored:
    """Stands for ClickHouse, which holds none of these offsets, and for PostgreSQL without a dead letter."""

    def __init__(self, *elsewhere: tuple[str, Any]) -> None:
        self._elsewhere = elsewhere

    async def letter_offsets(self, *_where: Any) -> dict[int, str | None]:
        return {}

    async def absent(self, _place: Place, first: int, end: int, _most: int) -> list[tuple[int, int]]:
        return [(first, end)]

    async def copies(self, events: Collection[Any], _since: datetime, _until: datetime) -> dict[Any, int]:
        return {event: 1 for event in events if event in self._elsewhere}

    async def by_tenant(self, *_where: Any) -> dict[str, int]:
        return {}

    async def twice(self, *_where: Any) -> list[Any]:
        return []

    async def forgotten(self, *_where: Any) -> int:
        return 0


async def counted(kafka: Any, stored: Any, *, most_read: int) -> dict[str, Equation]:
    census = EventCensus(reader=kafka, rows=stored, asks=stored, changelog="ledger", incarnation="1", dedup=timedelta(days=1), most_read=most_read)
    found = await census.hour(HOUR, [PLACE.topic], committed={(PLACE.topic, 0): 10}, forgets=[], kept_since=lambda _tenant: None, now=NOW)
    return {each.tenant_id: each for each in found}


EVENTS = [call_value(number, timestamp=HOUR) for number in range(10)]


def window(first: int, last: int, *accepted: int) -> Seen:
    return Seen(ClaimId(1, 1), first, last, 0, b"".join((each - first).to_bytes(4, "little") for each in accepted), bytes(16 * len(accepted)))


async def test_copies_are_found_by_their_ids_and_the_others_named() -> None:
    kafka = Kafka(EVENTS)
    found = await counted(kafka, Stored(("acme", event_id(3)), ("acme", event_id(4))), most_read=100)

    assert (dict(found["acme"].terms), found["acme"].gap_count) == ({"duplicates": 2}, 8)
    assert kafka.read_stretches == [(0, 10)], "in one go"


async def test_beyond_the_bound_the_ledger_of_windows_tells_duplicates_from_what_is_missing() -> None:
    kafka = Kafka(EVENTS, [window(0, 3, 1), window(4, 9, 5, 8)])
    found = await counted(kafka, Stored(), most_read=2)

    assert kafka.read_stretches == [(0, 2)]
    assert (dict(found["acme"].terms), [gap.subject for gap in found["acme"].gaps]) == ({"duplicates": 1}, ["voc.calls[0]@1"])
    assert dict(found[NOBODY].terms) == {"duplicates": 6}
    assert [(gap.subject, gap.what) for gap in found[NOBODY].gaps] == [
        ("voc.calls[0]@5-8", "2 offsets here are not stored, more than are looked at one by one")
    ]


async def test_without_a_ledger_nothing_is_settled() -> None:
    found = await counted(Kafka(EVENTS), Stored(), most_read=100)

    assert found["acme"].gap_count == 10
    assert msgspec.json.encode(found["acme"].terms) == b"{}"
