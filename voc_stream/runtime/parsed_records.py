"""Records as aiokafka's parser makes them, without the copy of eleven fields that it hands to applications, by the batch (docs/benchmarks.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.structs import ConsumerRecord


def _as_parsed(key: bytes | None) -> bytes | None:
    """Mark a fetcher whose records stay as they are, by being its key's deserializer."""
    return key


class _PartitionRecords(fetcher.PartitionRecords):
    """The records of a fetch, as parsed for consumers that said so; offset, timestamp, timestamp_type, key, value and headers are all they have."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Aborted transactions are told apart by the parent alone.
        self.by_the_batch = self._key_deserializer is _as_parsed and self._isolation_level != fetcher.READ_COMMITTED
        self._batches = self._unpack_batches()
        self._left: list[Any] = []
        self.next_fetch_offset: int
        self._behind = self.next_fetch_offset
        self.ended = False

    def take(self, most: int | None) -> list[Any]:
        """Return the next records, at most so many; `ended` tells that these are the last."""
        taken = self._left
        while most is None or len(taken) < most:
            batch = next(self._batches, None)
            if batch is None:
                self.ended = True
                # The parent's iterator, unused, refers to this: a fetch's bytes would stay until the collector comes by, a million events later.
                self._records_iterator = None
                break
            taken.extend(batch)
        self._left = taken[most:] if most is not None else []
        taken = taken[:most]
        self.next_fetch_offset = taken[-1].offset + 1 if self._left else self._behind
        return taken

    def _unpack_batches(self) -> Iterator[list[Any]]:
        """Do for whole batches what the parent's `_unpack_records` does for each record of what is not read as transactions."""
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            # Of a batch that is compressed, or compacted at its end, more or less may be here than was asked for.
            position, self._behind = self._behind, batch.next_offset
            if not batch.is_control_batch:
                records = list(batch)
                yield records if not records or records[0].offset >= position else [record for record in records if record.offset >= position]

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._key_deserializer is _as_parsed else super()._consumer_record(tp, record)


class _FetchResult(fetcher.FetchResult):
    """What was fetched of a partition: of consumers that said so handed out by the batch, where the parent takes three calls for each record."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        records = self._partition_records
        if not (isinstance(records, _PartitionRecords) and records.by_the_batch):
            found: list[Any] = super().getall(max_records)
            return found
        if not self.check_assignment(self._topic_partition):
            return []
        taken = records.take(max_records)
        self._update_position()
        if records.ended:
            self._partition_records = None
        return taken


def keep_as_parsed(consumer: Any) -> None:
    """Let an AIOKafkaConsumer that has started hand out its parser's records; others in this process are as before."""
    fetcher.PartitionRecords = _PartitionRecords
    fetcher.FetchResult = _FetchResult
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
