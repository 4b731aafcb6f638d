"""Reads stretches of topics beside the group: a plain consumer that commits nothing, and what the group has committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from voc_stream.errors import OutageError
from voc_stream.settings import Settings
from voc_stream.topic_admin import kafka_security

NAME = "kafka"
TIMEOUT_SECONDS = 30.0
# Nobody is kept from the brokers by this reader: it asks one fetch after the other, of so many bytes at most.
FETCH_BYTES = 1 << 20
AT_ONCE = 500
# A stretch may end in markers that are no records: after so long without one the broker is asked whether it is there.
_IDLE_SECONDS = 15.0

Record = Any
"""Kafka's record: topic, partition, offset, timestamp in ms, key, value, headers."""


class Stretch(NamedTuple):
    """Offsets of a partition, from `first` to before `end`; `begins` is the first that the partition still has."""

    first: int
    end: int
    begins: int


class TopicReader:
    """Reads; use as an async context manager. Its methods raise `OutageError` where Kafka does not answer.

    Args:
        settings: KAFKA_*; KAFKA_GROUP_ID is the group whose offsets are told.
    """

    def __init__(self, settings: Settings) -> None:
        self._group = settings.kafka_group_id
        options = {"bootstrap_servers": list(settings.kafka_bootstrap), "request_timeout_ms": int(TIMEOUT_SECONDS * 1000), **kafka_security(settings)}
        self._admin = AIOKafkaAdminClient(client_id="voc-stream-reader", **options)
        self._consumer = AIOKafkaConsumer(
            client_id="voc-stream-reader",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES // 4,
            **options,
        )

    async def __aenter__(self) -> Self:
        """Connect."""
        try:
            with _translated():
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self._admin.start()
                    await self._consumer.start()
        except OutageError:
            await self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Let the connections go."""
        for client in (self._consumer.stop, self._admin.close):
            with suppress(KafkaError, OSError, TimeoutError):
                await client()

    async def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions; none where there is no such topic."""
        with _translated():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                (found,) = await self._admin.describe_topics([topic])
        return sorted(partition["partition"] for partition in found["partitions"])

    async def committed(self) -> dict[tuple[str, int], int]:
        """Return where the group stands, by topic and partition."""
        with _translated():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                found = await self._admin.list_consumer_group_offsets(self._group)
        return {(tp.topic, tp.partition): each.offset for tp, each in found.items() if each.offset >= 0}

    async def stretches(self, topic: str, since: datetime, until: datetime | None = None) -> dict[int, Stretch]:
        """Return by partition what was written from `since` to before `until` (None: to now), by the records' times."""
        tps = [TopicPartition(topic, number) for number in await self.partitions(topic)]
        if not tps:
            return {}
        begins, ends = await self._begins(tps), await self._ends(tps)
        with _translated():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                firsts = await self._at(tps, since)
                lasts = {} if until is None else await self._at(tps, until)
        found = {}
        for tp in tps:
            end = lasts.get(tp, ends[tp])
            found[tp.partition] = Stretch(min(firsts.get(tp, ends[tp]), end), end, begins[tp])
        return found

    async def read(self, topic: str, stretches: Mapping[int, tuple[int, int]]) -> AsyncIterator[Sequence[Record]]:
        """Yield the records of these stretches, a few hundred at a time; one stretch a partition, `(first, end)`.

        Offsets that hold no record, or no longer, are passed over.
        """
        tps = [TopicPartition(topic, number) for number, (first, end) in stretches.items() if first < end]
        begins, ends = await self._begins(tps), await self._ends(tps)
        firsts = {tp: max(stretches[tp.partition][0], begins[tp]) for tp in tps}
        left = {tp: end for tp in tps if firsts[tp] < (end := min(stretches[tp.partition][1], ends[tp]))}
        if not left:
            return
        self._consumer.assign(list(left))
        for tp in left:
            self._consumer.seek(tp, firsts[tp])
        idle = 0.0
        while left:
            began = asyncio.get_running_loop().time()
            batches = await self._some(list(left))
            idle = 0.0 if batches else idle + asyncio.get_running_loop().time() - began
            for tp, records in batches.items():
                if records[-1].offset + 1 >= left[tp]:
                    records = [record for record in records if record.offset < left[tp]]  # noqa: PLW2901
                    del left[tp]
                    self._consumer.pause(tp)
                if records:
                    yield records
            if idle >= _IDLE_SECONDS:
                # Raises where the broker is away; otherwise there are no records.
                await self._ends(list(left))
                return

    async def record(self, topic: str, partition: int, offset: int) -> Record | None:
        """Return a record, None where it is gone."""
        async for records in self.read(topic, {partition: (offset, offset + 1)}):
            return records[0]
        return None

    async def done_until(self, topic: str, committed: Mapping[tuple[str, int], int], now: datetime) -> datetime:
        """Return up to which time of writing the group is done with a topic's records; `now` where nothing waits.

        Args:
            topic: its name.
            committed: of `committed()`, asked before.
            now: a moment before it was asked.
        """
        tps = [TopicPartition(topic, number) for number in await self.partitions(topic)]
        ends = await self._ends(tps)
        begins = await self._begins(tps)
        waiting = {tp: max(committed.get((topic, tp.partition), 0), begins[tp]) for tp in tps}
        until = now
        async for records in self.read(topic, {tp.partition: (first, first + 1) for tp, first in waiting.items() if first < ends[tp]}):
            until = min(until, time_of(records[0]))
        return until

    async def _at(self, tps: Collection[TopicPartition], time: datetime) -> dict[TopicPartition, int]:
        found = await self._consumer.offsets_for_times(dict.fromkeys(tps, int(time.timestamp() * 1000)))
        return {tp: each.offset for tp, each in found.items() if each is not None}

    async def _ends(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        with _translated():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return dict(await self._consumer.end_offsets(tps)) if tps else {}

    async def _begins(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        with _translated():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return dict(await self._consumer.beginning_offsets(tps)) if tps else {}

    async def _some(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, list[Record]]:
        with _translated():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return dict(await self._consumer.getmany(*tps, timeout_ms=1000, max_records=AT_ONCE))


def time_of(record: Record) -> datetime:
    """Return when a record was written, by its writer's clock."""
    return datetime.fromtimestamp(max(0, record.timestamp) / 1000, UTC)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise OutageError(NAME, f"does not answer ({type(error).__name__})") from error
