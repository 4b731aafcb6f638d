"""Records as aiokafka's parser makes them, without the copy of eleven fields that it hands to applications (docs/benchmarks.md, rivals)."""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.structs import ConsumerRecord


def _as_parsed(key: bytes | None) -> bytes | None:
    """Mark a fetcher whose records stay as they are, by being its key's deserializer."""
    return key


class _PartitionRecords(fetcher.PartitionRecords):
    """The records of a fetch, as parsed for consumers that said so; offset, timestamp, timestamp_type, key, value and headers are all they have."""

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._key_deserializer is _as_parsed else super()._consumer_record(tp, record)


def keep_as_parsed(consumer: Any) -> None:
    """Let an AIOKafkaConsumer that has started hand out its parser's records; others in this process are as before."""
    fetcher.PartitionRecords = _PartitionRecords
    consumer._fetcher._key_deserializer = _as_parsed  # noqa: SLF001 - it has no public name


def completed(tp: Any, record: Any) -> Any:
    """Return the record with all that Faust wants to know of one."""
    if isinstance(record, ConsumerRecord):
        return record
    key, value = record.key, record.value
    return ConsumerRecord(
        tp.topic, tp.partition, record.offset, record.timestamp, record.timestamp_type, key, value, record.checksum,
        -1 if key is None else len(key), -1 if value is None else len(value), tuple(record.headers),
    )  # fmt: skip
