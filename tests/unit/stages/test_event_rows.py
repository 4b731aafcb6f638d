"""Events as Native blocks: read back by ClickHouse's rules (tests/integration/warehouse reads it back by ClickHouse)."""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.voc import PROCESSED_MS, TIMESTAMP, action_value, block_of, call_value, event_id, row_of
from voc_stream.events.voc import decode_voc
from voc_stream.stages import event_rows
from voc_stream.stages.annotation import NOTHING, Annotation
from voc_stream.stages.event_rows import COLUMNS, EventBlock
from voc_stream.stages.ranges import Place

SAD = Annotation(-0.5, "rule", "en", "billing", 0.75, "head")


class Reader:
    """Takes values off the front of a row."""

    def __init__(self, row: bytes) -> None:
        self.rest = row

    def take(self, size: int) -> bytes:
        taken, self.rest = self.rest[:size], self.rest[size:]
        assert len(taken) == size
        return taken

    def number(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(kind)))[0]

    def length(self) -> int:
        length = shift = 0
        while True:
            (byte,) = self.take(1)
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return length

    def bytes(self) -> bytes:
        return self.take(self.length())

    def text(self) -> str:
        return self.bytes().decode()

    def column(self, kind: str, count: int) -> list[Any]:
        inner = kind.removeprefix("Nullable(").removesuffix(")") if kind.startswith("Nullable") else kind
        absent = self.take(count) if inner != kind else bytes(count)
        values = [self.value(inner) for _ in range(count)]
        return [None if missing else value for missing, value in zip(absent, values, strict=True)]

    def value(self, kind: str) -> Any:
        match kind:
            case "String":
                data = self.bytes()
                return data if data.startswith(b"{") else data.decode()
            case "UUID":
                return uuid.UUID(int=self.number("Q") << 64 | self.number("Q"))
            case "Float32":
                return self.number("f")
            case "Int32":
                return self.number("i")
            case _:
                return self.number("q")


def read_block(block: bytes) -> list[dict[str, Any]]:
    reader = Reader(block)
    columns, count = reader.length(), reader.length()
    found: dict[str, list[Any]] = {}
    for _ in range(columns):
        name, kind = reader.text(), reader.text()
        found[name] = reader.column(kind, count)
    assert reader.rest == b""
    assert tuple(found) == COLUMNS
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def read(block: bytes) -> dict[str, Any]:
    (row,) = read_block(block)
    return row


def test_a_row_holds_the_event_its_annotation_and_its_place_in_kafka() -> None:
    value = call_value()
    assert read(row_of(value, 7, SAD, partition=3)) == {
        "event_id": event_id(1),
        "ts": (TIMESTAMP - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1),
        "processed_at": PROCESSED_MS,
        "kafka_partition": 3,
        "kafka_offset": 7,
        "tenant_id": "acme",
        "event_type": "call",
        "kafka_incarnation": "1",
        "kafka_topic": "voc.calls",
        "sentiment_source": "rule",
        "language": "en",
        "topic_source": "head",
        "sentiment": -0.5,
        "topic_confidence": 0.75,
        "topic": "billing",
        "agent_id": "agent1",
        "call_id": "c1",
        "customer_id": "k1",
        "payload": value,
    }


def test_the_rows_of_a_block_keep_their_order_and_what_each_lacks() -> None:
    values = [call_value(1), action_value(2), call_value(3)]
    annotations = [SAD, NOTHING, Annotation(topic="other")]
    block = EventBlock()
    block.add([decode_voc(value) for value in values], values, [0, 1, 2], annotations, Place("1", "t", 0), 5)
    rows = read_block(block.encoded())
    assert [row["event_id"] for row in rows] == [event_id(1), event_id(2), event_id(3)]
    assert [row["sentiment"] for row in rows] == [-0.5, None, None]
    assert [row["topic"] for row in rows] == ["billing", None, "other"]
    assert [row["call_id"] for row in rows] == ["c1", "", "c1"]
    assert [row["payload"] for row in rows] == values


def test_what_is_added_in_pieces_is_one_block() -> None:
    rows = [(call_value(number), SAD if number % 2 else NOTHING) for number in range(7)]
    whole = EventBlock()
    values, annotations = zip(*rows, strict=True)
    whole.add([decode_voc(value) for value in values], values, range(5, 12), annotations, Place("1", "t", 0), PROCESSED_MS)
    assert block_of(rows, 5, Place("1", "t", 0)) == whole.encoded()


def test_an_event_whose_payload_is_empty_has_no_row() -> None:
    values = [call_value(1), call_value(2), call_value(3)]
    events = [decode_voc(value) for value in values]
    block, nothing = EventBlock(), EventBlock()
    block.add(events, [values[0], b"", values[2]], [4, 5, 6], [SAD, SAD, NOTHING], Place("1", "t", 0), 5)
    nothing.add(events[:1], [b""], [4], [SAD], Place("1", "t", 0), 5)
    assert [(row["event_id"], row["kafka_offset"], row["sentiment"]) for row in read_block(block.encoded())] == [
        (event_id(1), 4, -0.5),
        (event_id(3), 6, None),
    ]
    assert nothing.encoded() == b""


def test_the_same_event_gives_the_same_row() -> None:
    assert row_of(call_value(), 7, SAD) == row_of(call_value(), 7, SAD)


@pytest.mark.parametrize("microsecond", [0, 1, 999, 1000, 123_999, 999_999])
def test_a_time_is_cut_to_the_millisecond_and_never_rounded_up(microsecond: int) -> None:
    moment = TIMESTAMP.replace(microsecond=microsecond)
    assert read(row_of(call_value(timestamp=moment), 0))["ts"] % 1000 == microsecond // 1000


@pytest.mark.parametrize("annotation", [Annotation(0.0, "rule"), Annotation(topic="other"), Annotation(-1.0, topic="other", topic_confidence=1.0)])
def test_each_finding_may_be_missing(annotation: Annotation) -> None:
    row = read(row_of(call_value(), 0, annotation))
    assert (row["sentiment"], row["topic"], row["topic_confidence"]) == (annotation.sentiment, annotation.topic, annotation.topic_confidence)


@pytest.mark.parametrize("name", ["", "x" * 64, "ü" * 64, "漢" * 64])
def test_ids_of_any_length_and_script_are_kept(name: str) -> None:
    row = read(row_of(action_value(agent_id=name or "a", customer_id=name or None), 0))
    assert (row["agent_id"], row["customer_id"], row["call_id"]) == (name or "a", name, "")


@pytest.mark.parametrize("length", [1, 120, 127, 128, 16_383, 16_384, 1_000_000])
def test_payloads_of_any_length_are_kept(length: int) -> None:
    value = call_value(transcript="x" * length)
    assert read(row_of(value, 0))["payload"] == value


def test_what_is_kept_of_tenants_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_rows, "_MOST_KEPT", 10)
    for number in range(50):
        assert read(row_of(call_value(tenant_id=f"t{number}"), 0))["tenant_id"] == f"t{number}"
    assert len(event_rows._word) <= 10
