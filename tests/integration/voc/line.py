"""A worker of customer events with topics, tables and databases of its own, on a stack that others may share."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from voc_stream import topic_admin
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.stack import Stack
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.errors import OutsideError
from voc_stream.settings import Settings

PATIENCE_SECONDS = 90.0
LOOK_SECONDS = 0.1

_ROWS = """
SELECT toString(event_id) AS id, tenant_id, kafka_topic AS topic, kafka_partition AS partition, kafka_offset AS offset, payload,
       toUnixTimestamp64Milli(processed_at) AS processed_ms
FROM voc_events WHERE topic = {topic:String} OR tenant_id = {name:String} ORDER BY topic, partition, offset
"""


@dataclass(slots=True)
class Line:
    """One test's topic `voc.<name>`, group and workers.

    Args:
        stack: Kafka, PostgreSQL and ClickHouse at least.
        settings: of databases of the test's own.
        folder: for the workers' tables and logs.
    """

    stack: Stack
    settings: Settings
    folder: Path
    name: str = field(default_factory=lambda: f"line-{uuid.uuid4().hex[:8]}")
    workers: list[WorkerProcess] = field(default_factory=list)

    @property
    def topic(self) -> str:
        """Where its events are written."""
        return f"voc.{self.name}"

    async def make_topics(self, group: str | None = None) -> None:
        """Create the topic, its twin, and what Faust needs for a group."""
        lines: list[str] = []
        settings = self.settings.model_copy(update={"kafka_group_id": group or self.name, "kafka_topics": (self.topic,)})
        code = await topic_admin.run(settings, lines.append)
        assert code == 0, lines

    async def remake_topic(self) -> None:
        """Delete the topic and create it anew, empty."""
        async with _admin(self.settings) as admin:
            await admin.delete_topics([self.topic])
            while self.topic in await admin.list_topics():
                await asyncio.sleep(LOOK_SECONDS)
        await self.make_topics()

    def start(self, name: str = "worker", **settings: str) -> WorkerProcess:
        """Start a worker; a name's tables are kept over restarts."""
        env = {
            "KAFKA_GROUP_ID": self.name,
            "KAFKA_TOPICS": self.topic,
            "KAFKA_INCARNATION": self.name,
            "KAFKA_SESSION_TIMEOUT": "6",
            "CLICKHOUSE_DB": self.settings.clickhouse_db,
            "CLICKHOUSE_TIMEOUT_SECONDS": "10",
            "POSTGRES_DSN": self.settings.postgres_dsn.get_secret_value(),
            "PII_KEYS": self.settings.pii_keys.get_secret_value(),
            "PII_KEY_ID": self.settings.pii_key_id,
            "AVAYA_POLL_SECONDS": "240",
            "AVAYA_SWEEP_SECONDS": "900",
            "LOG_FORMAT": "json",
            "VOC_ANNOTATE": "off",
            # The overflow topic is shared: what others wrote there must not pause this worker.
            "SELF_PAUSE_RUN": "1000000",
        }
        worker = WorkerProcess(self.stack.folder.absolute(), self.folder / name, self.folder / f"{name}.log", env | settings)
        worker.start()
        self.workers.append(worker)
        return worker

    async def started(self, name: str = "worker", **settings: str) -> WorkerProcess:
        """Start a worker and wait until it is ready."""
        worker = self.start(name, **settings)
        await asyncio.to_thread(worker.wait_ready)
        return worker

    async def ended(self, worker: WorkerProcess) -> str:
        """Wait until a worker ends by itself; returns its log."""

        async def over() -> bool:
            return worker.poll() is not None

        await self.until(lambda: "the worker ends", over)
        assert worker.poll() != 0
        return worker.log.read_text()

    async def write(self, values: Sequence[bytes], *, partition: int = 0, topic: str | None = None) -> list[int]:
        """Write values in order; returns their offsets."""
        producer = AIOKafkaProducer(bootstrap_servers=list(self.settings.kafka_bootstrap), acks="all", max_request_size=4 << 20)
        await producer.start()
        try:
            sent = [await producer.send(topic or self.topic, value, partition=partition) for value in values]
            return [(await each).offset for each in sent]
        finally:
            await producer.stop()

    async def rows(self) -> list[dict[str, Any]]:
        """Return what is stored of the topic, and of a tenant of the test's name, in Kafka's order; the overflow topic is shared with others."""
        warehouse = Warehouse(self.settings)
        try:
            return await warehouse.query(_ROWS, {"topic": self.topic, "name": self.name})
        finally:
            await warehouse.close()

    async def until_stored(self, count: int, *, patience: float = PATIENCE_SECONDS) -> list[dict[str, Any]]:
        """Wait until so many rows are stored; returns them all."""
        rows: list[dict[str, Any]] = []

        async def enough() -> bool:
            rows[:] = await self.rows()
            return len(rows) >= count

        await self.until(lambda: f"{count} rows; there are {len(rows)}", enough, patience=patience)
        return rows

    async def until_committed(self, offset: int, *, partition: int = 0) -> None:
        """Wait until the group's offset is that."""

        async def reached() -> bool:
            return (await self.committed()).get(partition, 0) >= offset

        await self.until(lambda: f"offset {offset} committed", reached)

    async def committed(self) -> dict[int, int]:
        """Return the group's offsets."""
        async with _admin(self.settings) as admin:
            offsets = await admin.list_consumer_group_offsets(self.name)
        return {tp.partition: found.offset for tp, found in offsets.items() if tp.topic == self.topic and found.offset >= 0}

    async def set_offset(self, offset: int, *, partition: int = 0) -> None:
        """Set the group's offset; no worker may run."""
        consumer = AIOKafkaConsumer(bootstrap_servers=list(self.settings.kafka_bootstrap), group_id=self.name, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(self.topic, partition)])
            await consumer.commit({TopicPartition(self.topic, partition): OffsetAndMetadata(offset, "")})
        finally:
            await consumer.stop()

    async def records(self) -> list[Any]:
        """Return the topic's records."""
        return await self._read(self.topic)

    async def letters(self) -> list[Any]:
        """Return the dead letters."""
        return await self._read(f"{self.topic}.dlq")

    async def _read(self, topic: str) -> list[Any]:
        consumer = AIOKafkaConsumer(bootstrap_servers=list(self.settings.kafka_bootstrap), enable_auto_commit=False, auto_offset_reset="earliest")
        await consumer.start()
        try:
            tps = [TopicPartition(topic, number) for number in range(12)]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            await consumer.seek_to_beginning(*tps)
            found: list[Any] = []
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                found += [record for batch in (await consumer.getmany(timeout_ms=200)).values() for record in batch]
            return found
        finally:
            await consumer.stop()

    async def until(self, what: Callable[[], str], holds: Callable[[], Any], *, patience: float = PATIENCE_SECONDS) -> None:
        """Ask until it holds; a worker that ends meanwhile fails the test."""
        deadline = time.monotonic() + patience
        while True:
            with suppress(OutsideError, KafkaError, OSError):
                if await holds():
                    return
            if time.monotonic() > deadline:
                logs = "\n".join(worker.last_lines(8) for worker in self.workers)
                raise AssertionError(f"not within {patience:.0f} s: {what()}\n{logs}")
            await asyncio.sleep(LOOK_SECONDS)

    async def tidy(self) -> None:
        """Leave no process and no topic behind."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
        with suppress(KafkaError):
            async with _admin(self.settings) as admin:
                await admin.delete_topics([name for name in await admin.list_topics() if self.name in name])


class _admin:  # noqa: N801 - used like a function
    def __init__(self, settings: Settings) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=list(settings.kafka_bootstrap))

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._client.start()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
