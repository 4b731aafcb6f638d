"""Rows of `voc_events` as blocks of ClickHouse's Native format: made of the events alone, so that a replay gives the same rows (spec section 3).

A block holds its rows column by column. That is what a row costs least in, here and in the engine: a column is one run of bytes that few calls
make, nothing is escaped and nothing parsed (docs/voc-storage.md has figures).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import TypeVar

import numpy as np

from voc_stream.events.event_ids import packed
from voc_stream.events.voc import VocEvent
from voc_stream.stages.annotation import NOTHING, Annotation
from voc_stream.stages.ranges import Place

_TYPES = {
    "event_id": "UUID",
    "ts": "DateTime64(3, 'UTC')",
    "processed_at": "DateTime64(3, 'UTC')",
    "kafka_partition": "Int32",
    "kafka_offset": "Int64",
    "tenant_id": "String",
    "event_type": "String",
    "kafka_incarnation": "String",
    "kafka_topic": "String",
    "sentiment_source": "String",
    "language": "String",
    "topic_source": "String",
    "sentiment": "Nullable(Float32)",
    "topic_confidence": "Nullable(Float32)",
    "topic": "Nullable(String)",
    "agent_id": "String",
    "call_id": "String",
    "customer_id": "String",
    "payload": "String",
}
COLUMNS = tuple(_TYPES)
"""The columns in the order in which blocks hold them. What the table calls LowCardinality is sent as the string that it is."""

# A double holds today's milliseconds to 0.0002: half a microsecond more, and what is cut off is what the time really has.
_HALF_MICROSECOND = 0.0005
_MOST_KEPT = 20_000
_K = TypeVar("_K")


class EventBlock:
    """The rows of one insert, `INSERT INTO voc_events (COLUMNS) FORMAT Native`.

    An insert is one block: ClickHouse counts the blocks of an insert into its token, and the same window in other pieces would be another insert.
    """

    def __init__(self) -> None:
        self._count = 0
        self._columns: tuple[list[bytes], ...] = tuple([] for _ in _HEADS)

    def add(  # noqa: PLR0917 - two calls, in one order
        self,
        events: Sequence[VocEvent],
        values: Sequence[bytes],
        offsets: Sequence[int],
        annotations: Sequence[Annotation],
        place: Place,
        processed_ms: int,
    ) -> None:
        """Add rows.

        Args:
            events: as many as there are of the next three.
            values: their payloads; empty where there must be no row.
            offsets: where their records lie.
            annotations: what was made of the events' texts.
            place: where in Kafka they lie.
            processed_ms: when their window was first written down, in milliseconds since 1970.
        """
        if not all(values):
            kept = [at for at, value in enumerate(values) if value]
            events, values = [events[at] for at in kept], [values[at] for at in kept]
            offsets, annotations = [offsets[at] for at in kept], [annotations[at] for at in kept]
        if not events:
            return
        count = len(events)
        incarnation, topic, partition = place
        ids, times, tenants, agents, calls, customers = zip(*map(_said, events), strict=True)
        columns = (
            _uuids(ids),
            _times(times),
            np.full(count, processed_ms, "<i8").tobytes(),
            np.full(count, partition, "<i4").tobytes(),
            np.array(offsets, "<i8").tobytes(),
            _words(tenants),
            b"".join(map(_tag.__getitem__, map(type, events))),
            _word[incarnation] * count,
            _word[topic] * count,
            *_annotated(annotations),
            _words(agents),
            _texts(calls),
            _texts(customers),
        )
        for pieces, piece in zip(self._columns, columns, strict=False):
            pieces.append(piece)
        payloads: list[bytes] = [b""] * (2 * count)
        payloads[::2], payloads[1::2] = map(_length.__getitem__, map(len, values)), values
        self._columns[-1].extend(payloads)
        self._count += count

    def encoded(self) -> bytes:
        """Return the block; nothing where no row was added."""
        if not self._count:
            return b""
        columns = zip(_HEADS, self._columns, strict=True)
        return b"".join((_length[len(COLUMNS)], _length[self._count], *chain.from_iterable((head, *pieces) for head, pieces in columns)))


def _uuids(ids: Sequence[str]) -> bytes:
    """Return two little-endian halves an id, the upper one first."""
    return np.frombuffer(packed(ids), ">u8").astype("<u8").tobytes()


def _times(times: Sequence[datetime]) -> bytes:
    """Return milliseconds since 1970."""
    seconds = np.fromiter(map(datetime.timestamp, times), np.float64, len(times))
    return (seconds * 1000 + _HALF_MICROSECOND).astype("<i8").tobytes()


def _annotated(annotations: Sequence[Annotation]) -> Iterator[bytes]:
    """Return sources and language; then for feeling, confidence and topic which are not there, and what is.

    Most events say nothing: only what was made of the others is looked at.
    """
    count = len(annotations)
    told = [at for at, annotation in enumerate(annotations) if annotation is not NOTHING]
    sentiments, sources, languages, topics, confidences, topic_sources = zip(*[annotations[at] for at in told], strict=True) if told else ((),) * 6
    for column, nothing in ((sources, NOTHING.sentiment_source), (languages, NOTHING.language), (topic_sources, NOTHING.topic_source)):
        yield b"".join(_among(count, told, map(_word.__getitem__, column), _word[nothing]))
    for numbers in (sentiments, confidences):
        yield _absent(count, told, numbers)
        there = np.zeros(count, "<f4")
        there[told] = [number or 0.0 for number in numbers]
        yield there.tobytes()
    yield _absent(count, told, topics)
    yield b"".join(_among(count, told, map(_word.__getitem__, topics), b"\x00"))


def _among(count: int, told: Sequence[int], column: Iterable[bytes], nothing: bytes) -> list[bytes]:
    among = [nothing] * count
    for at, text in zip(told, column, strict=True):
        among[at] = text
    return among


def _absent(count: int, told: Sequence[int], column: Sequence[object]) -> bytes:
    absent = bytearray(b"\x01" * count)
    for at, value in zip(told, column, strict=True):
        absent[at] = value is None
    return bytes(absent)


def _words(column: Iterable[str | None]) -> bytes:
    """Return texts of which few are different: tenants, agents, sources."""
    return b"".join(map(_word.__getitem__, column))


def _texts(column: Sequence[str | None]) -> bytes:
    """Return ids, of at most 64 characters: where all are ASCII, a length is one character of its own."""
    text = "".join([f"{_CHARACTER[len(value)]}{value}" if value else "\0" for value in column])
    return text.encode() if text.isascii() else b"".join([_string(value or "") for value in column])


def _string(text: str) -> bytes:
    data = text.encode()
    return _length[len(data)] + data


class _Kept(dict[_K, bytes]):
    """What few tenants, agents and sizes make again and again; forgotten all at once, so that made-up ones cannot fill the memory."""

    def __init__(self, encode: Callable[[_K], bytes]) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, key: _K) -> bytes:
        if len(self) >= _MOST_KEPT:
            self.clear()
        encoded = self[key] = self._encode(key)
        return encoded


def _varint(length: int) -> bytes:
    """Return seven bits a byte, the lowest first; all but the last have the eighth set."""
    if length < 0x80:
        return bytes((length,))
    return bytes((length & 0x7F | 0x80,)) + _varint(length >> 7)


_CHARACTER = tuple(map(chr, range(0x80)))
_length = _Kept(_varint)
_word: _Kept[str | None] = _Kept(lambda text: _string(text or ""))
_tag: _Kept[type[VocEvent]] = _Kept(lambda kind: _string(str(kind.__struct_config__.tag)))
_said = attrgetter("event_id", "timestamp", "tenant_id", "agent_id", "call_id", "customer_id")
# What stands before each run of bytes: a column's name and type; before the values of one with gaps, which follow the gaps, nothing.
_HEADS = tuple(
    chain.from_iterable(
        (_string(name) + _string(kind), b"") if kind.startswith("Nullable") else (_string(name) + _string(kind),) for name, kind in _TYPES.items()
    )
)
