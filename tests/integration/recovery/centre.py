"""A contact centre of a test's own: a stack whose databases may be lost, one worker, and the operator's commands."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.integration.pipeline.pipeline import Pipeline, Workshop
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.postgres import Database
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.devstack.audit import Audit
from voc_stream.devstack.parts.postgres import _packaged_binaries
from voc_stream.devstack.simulator import Simulator
from voc_stream.devstack.worker_process import ROOT
from voc_stream.settings import Settings, load_settings
from voc_stream.topics import VOC_ACTIONS, VOC_CALLS, VOC_METRICS, VOC_OVERFLOW

TENANT = "acme"
EVENT_TOPICS = (VOC_CALLS, VOC_ACTIONS, VOC_METRICS, VOC_OVERFLOW)
# The stack's own addresses stay what they are; time-outs are those of a machine that does other things as well.
_SETTINGS = {
    "CLICKHOUSE_TIMEOUT_SECONDS": "20",
    "POSTGRES_TIMEOUT_SECONDS": "10",
    "S3_TIMEOUT_SECONDS": "10",
}
_CALL_EVENTS = """
SELECT call_id, toInt64(count()) AS copies FROM voc_events WHERE event_type = 'call' AND call_id IN {calls:Array(String)} GROUP BY call_id
"""
# What others depend on comes last.
_TABLES = """
SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY multiIf(engine = 'MaterializedView', 0, engine = 'Join', 2, 1)
"""
_COMMAND_SECONDS = 300.0
_SENT = """
SELECT toInt64(count()) AS rows, toInt64(uniqExact(event_id)) AS events, toInt64(uniqExact(kafka_topic, kafka_partition, kafka_offset)) AS offsets
FROM voc_events
"""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

Output = tuple[int, str]


@dataclass(slots=True)
class Centre:
    """Everything that a test does; clients are made anew where a database was."""

    workshop: Workshop
    folder: Path
    calls: list[str] = field(default_factory=list)
    sent: int = 0

    @property
    def settings(self) -> Settings:
        """As the worker has them."""
        return load_settings(
            **{name.lower(): value for name, value in self.workshop.stack.endpoints.items() if name.lower() in Settings.model_fields}
        )

    # the operator

    async def faust(self, *arguments: str) -> Output:
        """Run a command as an operator does; returns its exit code and what it said."""
        stack = self.workshop.stack.folder.absolute()
        env = {**os.environ, "STACK_DIR": str(stack), "STATE_DIR": str(self.folder / "commands"), "LOG_FORMAT": "json", **_SETTINGS}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "faust", "-A", "voc_stream", *arguments, cwd=ROOT, env=env, stdout=pipe, stderr=asyncio.subprocess.STDOUT
        )
        async with asyncio.timeout(_COMMAND_SECONDS):
            said, _ = await process.communicate()
        assert process.returncode is not None
        text = said.decode()
        say(f"$ faust -A voc_stream {' '.join(arguments)}\n{text}")
        return process.returncode, text

    async def done(self, *arguments: str) -> str:
        """Run a command that must succeed; returns what it said."""
        code, text = await self.faust(*arguments)
        assert code == 0, text
        return text

    async def backup(self, name: str) -> Path:
        """Write a backup."""
        folder = self.folder / name
        await self.done("backup", str(folder), "--pg-bin", str(_packaged_binaries()))
        return folder

    async def restore(self, folder: Path, *options: str) -> str:
        """Bring a backup back."""
        return await self.done("restore", str(folder), "--pg-bin", str(_packaged_binaries()), *options)

    # the worker

    async def start(self) -> None:
        """Start the worker, or see that it runs; on the main thread, because the kernel ends it with the thread that began it."""
        self.workshop.running(_SETTINGS)

    async def stop(self) -> None:
        """Stop it, and wait until nobody is in the groups."""
        worker = self.workshop.worker
        if worker is not None and worker.poll() is None:
            assert await asyncio.to_thread(worker.stop) == 0
        deadline = time.monotonic() + 60
        while (await self.faust("rewind"))[1].find("stop all workers") >= 0:
            assert time.monotonic() < deadline
            await asyncio.sleep(1)

    # disasters

    def lose_postgres(self) -> None:
        """Drop everything; the stack's user must not make a database anew."""
        with psycopg.connect(self.settings.postgres_url, autocommit=True) as session:
            session.execute("DROP SCHEMA public CASCADE")
            session.execute("CREATE SCHEMA public")

    async def lose_clickhouse(self) -> None:
        """Drop everything in the database; itself not, for the engine cannot be without its `default`."""
        warehouse = Warehouse(self.settings)
        try:
            tables = await warehouse.query(_TABLES)
            for table in tables:
                await warehouse.command(f"DROP TABLE IF EXISTS `{table['name']}` SYNC")
        finally:
            await warehouse.close()

    async def lose_records(self, topic: str, partition: int, before: int) -> None:
        """Let Kafka delete a partition's records before an offset, as its retention does."""
        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.settings.kafka_bootstrap))
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before)})
        finally:
            await admin.close()

    # what happens meanwhile

    async def generate(self, events: int) -> None:
        """Send made-up events."""
        text = await self.done("generate", "--events", str(events), "--rate", "3000")
        assert f"acknowledged={events} " in text
        self.sent += events

    async def write(self, topic: str, values: Sequence[bytes], partition: int) -> None:
        """Send these."""
        producer = AIOKafkaProducer(bootstrap_servers=list(self.settings.kafka_bootstrap), acks="all")
        await producer.start()
        try:
            for value in values:
                await producer.send_and_wait(topic, value, partition=partition)
        finally:
            await producer.stop()
        self.sent += len(values)

    async def record(self, count: int) -> None:
        """Have calls recorded, and wait until each is where it ends."""
        async with self.eyes() as pipeline:
            found = await pipeline.spoken(count)
            self.calls += found
            await pipeline.until_settled(found)

    # what became of it

    def eyes(self) -> _Eyes:
        """Lend a view of every place."""
        return _Eyes(self)

    async def until_idle(self) -> float:
        """Wait until the group has read everything; returns the seconds."""
        began = time.monotonic()
        async with TopicReader(self.settings) as reader:
            while True:
                committed = await reader.committed()
                behind = 0
                for topic in (*EVENT_TOPICS, "calls.raw", "calls.enriched", "audio.ready", "scoring.results"):
                    found = await reader.stretches(topic, _LONG_AGO)
                    behind += sum(max(0, each.end - max(each.begins, committed.get((topic, number), 0))) for number, each in found.items())
                if not behind:
                    return time.monotonic() - began
                worker = self.workshop.worker
                assert worker is not None
                assert worker.poll() is None, worker.last_lines()
                assert time.monotonic() - began < _COMMAND_SECONDS, f"{behind} records behind\n{worker.last_lines()}"
                await asyncio.sleep(0.5)

    async def stored(self) -> dict[str, int]:
        """Return how many rows, events and offsets `voc_events` has."""
        (row,) = await self.query(_SENT)
        return row

    async def query(self, statement: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Ask ClickHouse."""
        warehouse = Warehouse(self.settings)
        try:
            return await warehouse.query(statement, parameters)
        finally:
            await warehouse.close()

    async def call_events(self, call_ids: Collection[str]) -> dict[str, int]:
        """Return by call how often ClickHouse has an event of it."""
        rows = await self.query(_CALL_EVENTS, {"calls": list(call_ids)})
        return {row["call_id"]: row["copies"] for row in rows}


class _Eyes:
    """The pipeline's view, with clients of its own."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._database = Database(centre.settings)
        self._audit = Audit(centre.settings)

    async def __aenter__(self) -> Pipeline:
        worker = self._centre.workshop.worker
        assert worker is not None
        await self._audit.__aenter__()
        simulator = Simulator(self._centre.workshop.stack.endpoints)
        return Pipeline(self._centre.workshop, self._centre.settings, self._audit, self._database, worker, simulator)

    async def __aexit__(self, *_: object) -> None:
        await self._audit.__aexit__(None, None, None)
        await self._database.close()


def say(text: str) -> None:
    """Show figures, with pytest's -s or where a test fails."""
    sys.stdout.write(f"{text}\n")


def figure(text: str, name: str) -> float:
    """Return a number of a command's last lines, `name=number`."""
    found = re.findall(rf"\b{name}=([0-9.]+)", text)
    assert found, f"{name} is not in:\n{text}"
    return float(found[-1])
