"""The parser's own records: what they hold, and that only consumers that said so get them."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c_py
from aiokafka.structs import ConsumerRecord, TopicPartition

from voc_stream.runtime.parsed_records import completed, keep_as_parsed

PLACE = TopicPartition("voc.calls", 3)


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)
    monkeypatch.setattr(fetcher, "FetchResult", fetcher.FetchResult)


def fetched(consumer: Any) -> list[Any]:
    """Return the records of a fetch, made as this consumer's fetcher makes them."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 16
    )
    builder.append(0, timestamp=1000, key=b"k", value=b"v", headers=[("h", b"1")])
    builder.append(1, timestamp=1001, key=None, value=None, headers=[])
    records = MemoryRecords(bytes(builder.build()))
    return list(fetcher.PartitionRecords(PLACE, records, [], 0, consumer._fetcher._key_deserializer, None, check_crcs=True, isolation_level=0))


def consumer() -> Any:
    return SimpleNamespace(_fetcher=SimpleNamespace(_key_deserializer=None))


def test_a_consumer_that_said_so_gets_the_parser_s_records_and_another_one_aiokafka_s() -> None:
    ours = consumer()
    keep_as_parsed(ours)
    found = fetched(ours)
    assert not any(isinstance(record, ConsumerRecord) for record in found)
    assert [(record.offset, record.key, record.value, tuple(record.headers)) for record in found] == [
        (0, b"k", b"v", (("h", b"1"),)),
        (1, None, None, ()),
    ]
    assert all(isinstance(record, ConsumerRecord) for record in fetched(consumer()))


def test_a_completed_record_is_what_aiokafka_would_have_made() -> None:
    ours = consumer()
    theirs = fetched(ours)
    keep_as_parsed(ours)
    assert [completed(PLACE, record) for record in fetched(ours)] == theirs
    assert completed(PLACE, theirs[0]) is theirs[0]


def _batch(base: int, count: int, *, control: bool = False) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=3, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 16
    )
    for delta in range(count):
        builder.append(delta, timestamp=1000, key=b"k", value=b"%d" % (base + delta), headers=[])
    made = bytearray(builder.build())
    made[:8] = base.to_bytes(8, "big")
    if control:
        made[22] |= 0x20
        made[17:21] = calc_crc32c_py(memoryview(made)[21:]).to_bytes(4, "big")
    return bytes(made)


class _State:
    """What aiokafka knows of a partition that is consumed."""

    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def consumed_to(self, position: int) -> None:
        self.position = position


def _result(consumer: Any, batches: bytes, state: _State) -> Any:
    key = consumer._fetcher._key_deserializer
    records = fetcher.PartitionRecords(PLACE, MemoryRecords(batches), [], state.position, key, None, check_crcs=True, isolation_level=0)
    return fetcher.FetchResult(PLACE, assignment=SimpleNamespace(active=True, state_value=lambda _: state), partition_records=records, backoff=0)


@pytest.mark.parametrize("most", [None, 1, 2, 3, 5, 6, 7, 100])
@pytest.mark.parametrize("offset", [0, 2, 4, 9])
def test_by_the_batch_a_fetch_gives_what_it_gives_by_the_record(most: int | None, offset: int) -> None:
    batches = b"".join([_batch(0, 3), _batch(3, 1, control=True), _batch(4, 4), _batch(12, 1)])
    ours, found = consumer(), []
    for by_the_batch in (False, True):
        if by_the_batch:
            keep_as_parsed(ours)
        state, parts = _State(offset), []
        result = _result(ours, batches, state)
        while result.has_more():
            parts.append([(record.offset, record.value) for record in result.getall(most)])
        found.append(([part for part in parts if part], state.position))
    assert found[0] == found[1]


def test_a_fetch_that_was_taken_whole_is_freed_without_the_collector() -> None:
    ours = consumer()
    keep_as_parsed(ours)
    gc.disable()
    try:
        result = _result(ours, _batch(0, 3), _State(0))
        fetch = weakref.ref(result._partition_records)
        assert [record.offset for record in result.getall(None)] == [0, 1, 2]
        assert fetch() is None
    finally:
        gc.enable()


def test_what_was_damaged_on_its_way_is_refused_and_the_position_stays() -> None:
    ours, state = consumer(), _State(0)
    keep_as_parsed(ours)
    result = _result(ours, _batch(0, 3) + _batch(3, 3)[:-1] + b"\xff", state)
    with pytest.raises(CorruptRecordException):
        result.getall(100)
    assert state.position == 0
