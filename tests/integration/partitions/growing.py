"""A line of events and calls on a broker of its own, whose partitions grow."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from tests.integration.voc.line import Line
from tests.unit.stages.made import raw_call
from voc_stream import topics
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.devstack.worker_process import ROOT, WorkerProcess
from voc_stream.events.base import encode

Keyed = list[tuple[bytes, bytes]]
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

# The command, which ends by SIGKILL: when a step is done and not yet noted, or when some rows were carried over and not the others.
_KILLED = """
import asyncio, os, signal, sys
from voc_stream import partitions
from voc_stream.clients.growth_store import GrowthStore
from voc_stream.clients.kafka_sender import KafkaSender
from voc_stream.settings import load_settings

moment = sys.argv[1]
done, publish = GrowthStore.done, KafkaSender.publish

async def deadly_done(self, growth, step):
    if step == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    await done(self, growth, step)

async def deadly_publish(self, records):
    if moment == "half the rows":
        await publish(self, records[: len(records) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return await publish(self, records)

GrowthStore.done, KafkaSender.publish = deadly_done, deadly_publish
sys.exit(asyncio.run(partitions.run(load_settings(), print, names=sys.argv[2:], apply=True)))
"""


@dataclass(slots=True)
class Growing:
    """What the tests do to it.

    Args:
        line: its settings name the broker; not started.
        recorder: the settings of the recorder.
        counts: what the settings say now, as environment.
    """

    line: Line
    recorder: Mapping[str, str]
    counts: dict[str, str] = field(default_factory=dict)

    def want(self, partitions: int) -> None:
        """Set all three settings."""
        self.counts = {f"KAFKA_{name}_PARTITIONS": str(partitions) for name in ("CALL", "RECORDING", "EVENT")}

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a worker or a command."""
        return {"KAFKA_BOOTSTRAP": ",".join(self.line.settings.kafka_bootstrap), "REDRIVE_POLL_SECONDS": "3600", **self.recorder, **self.counts}

    async def worker(self, name: str = "worker") -> WorkerProcess:
        """Start one and wait until it is ready."""
        return await self.line.started(name, **self.environment)

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run `faust -A voc_stream ...`; returns its exit code and what it said."""
        return await self._run("-m", "faust", "-A", "voc_stream", *arguments)

    async def killed(self, moment: str, family: str) -> None:
        """Let the partitions of a family grow, and kill that at a moment."""
        code, said = await self._run("-c", _KILLED, moment, family)
        assert code == -signal.SIGKILL, said

    async def _run(self, *arguments: str) -> tuple[int, str]:
        line = self.line
        own = {
            "STACK_DIR": str(line.stack.folder.absolute()),
            "KAFKA_GROUP_ID": line.name,
            "KAFKA_TOPICS": line.topic,
            "KAFKA_INCARNATION": line.name,
            "KAFKA_SESSION_TIMEOUT": "6",
            "POSTGRES_DSN": line.settings.postgres_dsn.get_secret_value(),
            "CLICKHOUSE_DB": line.settings.clickhouse_db,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=ROOT,
            env={**os.environ, **own, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(120):
            said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def send(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Write keys and values as any producer does: by the key's hash."""
        producer = AIOKafkaProducer(bootstrap_servers=list(self.line.settings.kafka_bootstrap), acks="all")
        await producer.start()
        try:
            for sent in [await producer.send(topic, value, key) for key, value in records]:
                await sent
        finally:
            await producer.stop()

    async def until_drained(self) -> None:
        """Wait until the group is at every topic's end."""
        left: dict[str, int] = {}

        async def drained() -> bool:
            left.clear()
            left.update(await self._left())
            return not left

        await self.line.until(lambda: f"everything is done with; left: {left}", drained)

    async def _left(self) -> dict[str, int]:
        async with TopicReader(self.line.settings) as reader:
            committed = await reader.committed()
            found = {}
            for topic in (self.line.topic, *(each.name for each in topics.CALLS_PIPELINE if each.family == topics.CALLS)):
                for number, stretch in (await reader.stretches(topic, _EPOCH)).items():
                    if left := stretch.end - committed.get((topic, number), 0):
                        found[f"{topic}[{number}]"] = left
            return found

    async def records(self, topic: str) -> list[Any]:
        """Return a topic's records."""
        async with TopicReader(self.line.settings) as reader:
            everything = dict.fromkeys(await reader.partitions(topic), (0, 1 << 60))
            return [record async for records in reader.read(topic, everything) for record in records]

    async def counts_of(self, names: Iterable[str]) -> dict[str, int]:
        """Return how many partitions topics have."""
        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.line.settings.kafka_bootstrap))
        await admin.start()
        try:
            return {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(list(names))}
        finally:
            await admin.close()


def polled(numbers: Iterable[int]) -> Keyed:
    """Return calls as the poller writes them."""
    calls = [raw_call(f"7000000{number:08d}", service="no-such-tenant") for number in numbers]
    return [(call.call_id.encode(), encode(call)) for call in calls]


def by_partition(records: Iterable[Any]) -> Mapping[int, int]:
    """Count records."""
    found: dict[int, int] = {}
    for record in records:
        found[record.partition] = found.get(record.partition, 0) + 1
    return found
