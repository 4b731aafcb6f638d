"""Topics, records and worker processes of one test."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from voc_stream.events.base import derived_id, encode
from voc_stream.events.calls import ModelVersionUpdated

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 120.0


@dataclass
class Worker:
    """A worker process; `told` is what it said so far, `complaints` its log."""

    process: asyncio.subprocess.Process
    told: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _readers: list[asyncio.Task[None]] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def read(self) -> None:
        """Begin to take down what it says."""
        for stream, lines in ((self.process.stdout, self.told), (self.process.stderr, self.complaints)):
            assert stream is not None
            self._readers.append(asyncio.create_task(self._take_down(stream, lines)))

    async def _take_down(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        async for line in stream:
            lines.append(line.decode().rstrip())
            async with self._news:
                self._news.notify_all()
        await self.process.wait()
        async with self._news:
            self._news.notify_all()

    async def says(self, *wanted: str) -> None:
        """Wait until it has said all of these lines."""
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                await self._news.wait_for(lambda: set(wanted) <= set(self.told) or self.process.returncode is not None)
        except TimeoutError:
            pass
        missing = sorted(set(wanted) - set(self.told))
        assert not missing, f"it never said {missing[:5]}; it ended with {self.process.returncode}; its log ends with {self.complaints[-15:]}"

    async def ends(self, how: signal.Signals | None = None) -> int:
        """Send a signal, if one is given, and return the exit code."""
        if how is not None:
            self.process.send_signal(how)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return code


@dataclass
class Harness:
    """One test's topic, its output's topic, its group and its workers."""

    bootstrap: str
    folder: Path
    partitions: int = 4
    name: str = field(default_factory=lambda: f"rt-{uuid.uuid4().hex[:12]}")
    workers: list[Worker] = field(default_factory=list)

    @property
    def topic(self) -> str:
        return self.name

    async def create_topics(self) -> None:
        topics = [
            NewTopic(self.topic, self.partitions, 1),
            NewTopic(f"{self.topic}.out", 1, 1),
            NewTopic(f"{self.topic}.dlq", self.partitions, 1),
            NewTopic(f"{self.name}-__assignor-__leader", 1, 1),
        ]
        async with _admin(self.bootstrap) as admin:
            await admin.create_topics(topics)

    async def produce(self, offsets: Iterable[int]) -> set[str]:
        """Write a record to each partition for each offset (which they are to get); returns their names."""
        names = set()
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            for offset in offsets:
                for partition in range(self.partitions):
                    value = ModelVersionUpdated(event_ts=datetime.now(UTC), ingest_uuid=derived_id(str(offset)), model_version="source")
                    await producer.send(self.topic, encode(value), partition=partition)
                    names.add(f"{partition}:{offset}")
            await producer.flush()
        finally:
            await producer.stop()
        return names

    async def start(self, **env: str) -> Worker:
        """Start a worker; keywords become environment variables, `RT_` before them."""
        state = self.folder / f"worker-{len(self.workers)}"
        state.mkdir()
        ours = {"RT_BOOTSTRAP": self.bootstrap, "RT_TOPIC": self.topic, "RT_GROUP": self.name, "RT_STATE": str(state), "PYTHONPATH": str(ROOT)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.runtime.app", "worker", "--without-web", "-l", "info",
            env=os.environ | ours | {f"RT_{name.upper()}": value for name, value in env.items()},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 20,
        )  # fmt: skip
        worker = Worker(process)
        worker.read()
        self.workers.append(worker)
        return worker

    async def stop(self) -> None:
        """Leave no process behind."""
        for worker in self.workers:
            if worker.process.returncode is None:
                await worker.ends(signal.SIGKILL)

    async def committed(self) -> dict[int, int]:
        """Return the group's committed offset of each partition that has one."""
        async with _admin(self.bootstrap) as admin:
            offsets = await admin.list_consumer_group_offsets(self.name)
        return {tp.partition: found.offset for tp, found in offsets.items() if tp.topic == self.topic and found.offset >= 0}

    async def delete_records_before(self, offset: int) -> None:
        """Let Kafka forget records of every partition, as its retention does."""
        async with _admin(self.bootstrap) as admin:
            tps = [TopicPartition(self.topic, partition) for partition in range(self.partitions)]
            await admin.delete_records({tp: RecordsToDelete(before_offset=offset) for tp in tps})

    async def copied(self, wanted: set[str]) -> set[str]:
        """Read the output until all wanted names came, and return what came."""
        consumer = AIOKafkaConsumer(f"{self.topic}.out", bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        found: set[str] = set()
        try:
            async with asyncio.timeout(PATIENCE):
                while not wanted <= found:
                    records = await consumer.getmany(timeout_ms=200)
                    found |= {record.key.decode() for batch in records.values() for record in batch}
        except TimeoutError:
            missing = sorted(wanted - found)
            logs = [worker.complaints[-15:] for worker in self.workers[-1:]]
            msg = f"{len(missing)} records did not come: {missing[:10]}; the last worker's log ends with {logs}"
            raise AssertionError(msg) from None
        finally:
            await consumer.stop()
        return found


class _admin:  # noqa: N801 - used like a function
    def __init__(self, bootstrap: str) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._client.start()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
