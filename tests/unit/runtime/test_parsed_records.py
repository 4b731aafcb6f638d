"""The parser's own records: what they hold, and that only consumers that said so get them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

from voc_stream.runtime.parsed_records import completed, keep_as_parsed

PLACE = TopicPartition("voc.calls", 3)


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)


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
