"""Rows of `voc_events`, in ClickHouse's RowBinary: bytes made of the event alone, so that a replay gives the same row (spec section 3).

RowBinary is what a row costs least in: packed numbers and strings with their length, nothing to escape or to parse (docs/voc-storage.md has figures).
"""

from __future__ import annotations

from struct import Struct
from typing import TypeAlias

from voc_stream.events.voc import VocEvent
from voc_stream.stages.annotation import Annotation

# The columns in the order in which `event_row` writes them: fixed widths side by side, so that one call packs them.
COLUMNS = (
    "event_id",
    "ts",
    "processed_at",
    "kafka_partition",
    "kafka_offset",
    "tenant_id",
    "event_type",
    "kafka_incarnation",
    "kafka_topic",
    "sentiment_source",
    "language",
    "topic_source",
    "sentiment",
    "topic_confidence",
    "topic",
    "agent_id",
    "call_id",
    "customer_id",
    "payload",
)

_Words: TypeAlias = tuple[str, type[VocEvent], str, str, str, str, str]

# UUIDs are two little-endian halves, the upper one first; DateTime64(3) is milliseconds since 1970.
_head = Struct("<QQqqiq").pack
_number = Struct("<Bf").pack
_LOW_HALF = (1 << 64) - 1
_NULL = b"\x01"
_NOTHING = _NULL * 3
# A double holds today's milliseconds to 0.0002: half a microsecond more, and what is cut off is what the time really has.
_HALF_MICROSECOND = 0.0005

_LENGTHS = tuple(map(chr, range(0x80)))
_WORDS_KEPT = 20_000
_words: dict[object, bytes] = {}


def event_row(  # noqa: PLR0917 - keywords would cost a tenth of the call
    event: VocEvent,
    value: bytes,
    annotation: Annotation,
    topic: str,
    partition: int,
    offset: int,
    incarnation: str,
    processed_ms: int,
) -> bytes:
    """Return the row of an event, as `INSERT INTO voc_events (COLUMNS) FORMAT RowBinary` wants it.

    Args:
        event: the event that `value` decodes to.
        value: the record's value as it came: the payload.
        annotation: what was made of the event's text.
        topic: with `partition`, `offset` and `incarnation`: where the record lies in Kafka.
        partition: see `topic`.
        offset: see `topic`.
        incarnation: see `topic`; tells a topic made anew from the one before.
        processed_ms: when its window was first written down, in milliseconds since 1970.
    """
    words: _Words = (event.tenant_id, type(event), incarnation, topic, annotation[1], annotation[2], annotation[5])
    number, size = event.event_id.int, len(value)
    agent_id, call_id, customer_id = event.agent_id or "", event.call_id or "", event.customer_id or ""
    # Ids are of 64 characters at most: where they are ASCII, a length is one character of its own.
    text = f"{_LENGTHS[len(agent_id)]}{agent_id}{_LENGTHS[len(call_id)]}{call_id}{_LENGTHS[len(customer_id)]}{customer_id}"
    return b"".join(
        (
            _head(number >> 64, number & _LOW_HALF, int(event.timestamp.timestamp() * 1000 + _HALF_MICROSECOND), processed_ms, partition, offset),
            _words.get(words) or _keep(words, _encoded(words)),
            _NOTHING if annotation[3] is None and annotation[0] is None else _findings(annotation),
            text.encode() if text.isascii() else b"".join(map(_string, (agent_id, call_id, customer_id))),
            _words.get(size) or _keep(size, _length(size)),
            value,
        )
    )


def _findings(annotation: Annotation) -> bytes:
    """Return sentiment, topic confidence and topic."""
    sentiment, topic, confidence = annotation.sentiment, annotation.topic, annotation.topic_confidence
    return b"".join(
        (
            _NULL if sentiment is None else _number(0, sentiment),
            _NULL if confidence is None else _number(0, confidence),
            _NULL if topic is None else _words.get(topic) or _keep(topic, b"\x00" + _string(topic)),
        )
    )


def _keep(words: object, encoded: bytes) -> bytes:
    """Keep what few tenants and sources make again and again; forgotten all at once, so that made-up tenants cannot fill the memory."""
    if len(_words) >= _WORDS_KEPT:
        _words.clear()
    _words[words] = encoded
    return encoded


def _encoded(words: _Words) -> bytes:
    tenant_id, kind, *others = words
    return b"".join(map(_string, (tenant_id, str(kind.__struct_config__.tag), *others)))


def _string(text: str) -> bytes:
    data = text.encode()
    return _length(len(data)) + data


def _length(length: int) -> bytes:
    """Return seven bits a byte, the lowest first; all but the last have the eighth set."""
    if length < 0x80:
        return bytes((length,))
    if length < 0x4000:
        return bytes((length & 0x7F | 0x80, length >> 7))
    return bytes((length & 0x7F | 0x80,)) + _length(length >> 7)
