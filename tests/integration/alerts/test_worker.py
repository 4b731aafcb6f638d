"""A worker that is killed between raising an alert and telling it: the next one tells it, once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from tests.integration.alerts.windows import arrive
from tests.unit.clients.http_server import Scripted, scripted_server
from voc_stream import topic_admin
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.postgres import Database
from voc_stream.events.alerts import AlertEvent
from voc_stream.events.base import Decoder
from voc_stream.settings import Settings
from voc_stream.topics import VOC_ALERTS, all_topics

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 120.0
RULES = '[defaults.rules.low]\nmetric = "mean_sentiment"\nraise_below = -0.3\nclear_above = -0.1\nminimum_count = 10\n'


class Workers:
    """Worker processes of one group of their own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.log = folder / "worker.log"
        self._environment = {**os.environ, **environment, "STATE_DIR": str(folder / "state"), "PYTHONPATH": str(ROOT), "LOG_FORMAT": "json"}
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, **more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.integration.alerts.app", "worker", "--without-web", "-l", "info"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=self._environment | more, cwd=ROOT, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
            process.wait(PATIENCE_SECONDS)


@pytest.fixture
async def receiver() -> AsyncIterator[Scripted]:
    async with scripted_server() as server:
        yield server


@pytest.fixture
async def group(settings: Settings) -> AsyncIterator[Settings]:
    """A group of the test's own, with the topics that Faust needs for it."""
    own = settings.model_copy(update={"kafka_group_id": f"test-{uuid.uuid4().hex[:12]}"})
    said: list[str] = []
    assert await topic_admin.run(own, said.append) != 2, said
    yield own
    mine = [topic.name for topic in all_topics(own) if topic.name.startswith(own.kafka_group_id)]
    admin = AIOKafkaAdminClient(bootstrap_servers=list(own.kafka_bootstrap))
    await admin.start()
    await admin.delete_topics(mine)
    await admin.close()


@pytest.fixture
def workers(group: Settings, schema_settings: Settings, warehouse_settings: Settings, receiver: Scripted, tmp_path: Path) -> Iterator[Workers]:
    file = tmp_path / "alerts.toml"
    hook = f'[defaults.webhook]\nurl = "{receiver.url}/hook"\nsecret = "env:VOC_TEST_SECRET"\n'
    file.write_text(RULES + hook, encoding="utf-8")
    made = Workers(
        tmp_path,
        {
            "POSTGRES_DSN": schema_settings.postgres_dsn.get_secret_value(),
            "CLICKHOUSE_DB": warehouse_settings.clickhouse_db,
            "KAFKA_GROUP_ID": group.kafka_group_id,
            "KAFKA_SESSION_TIMEOUT": "6",
            "ALERTS_FILE": str(file),
            "ALERTS_SECONDS": "0.5",
            "ALERT_WEBHOOK_ALLOW_PRIVATE": "true",
            "VOC_TEST_SECRET": "a-made-up-secret-of-length",
        },
    )
    yield made
    made.stop()


async def until(what: str, holds: Any, log: Path) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await holds():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{what}: not in time; the log ends with\n{last_lines(log)}") from None


def last_lines(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-15:])


async def published(settings: Settings, tenant_id: str) -> list[AlertEvent]:
    """Return what `voc.alerts` holds of a tenant."""
    consumer = AIOKafkaConsumer(VOC_ALERTS, bootstrap_servers=list(settings.kafka_bootstrap), auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        records = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
    finally:
        await consumer.stop()
    events = [Decoder(AlertEvent)(record.value) for record in records if record.key == tenant_id.encode()]
    return [event for event in events if isinstance(event, AlertEvent)]


async def test_an_alert_whose_worker_was_killed_before_it_told_it_is_told_by_the_next_one(
    group: Settings, workers: Workers, warehouse: Warehouse, db: Database, receiver: Scripted
) -> None:
    tenant_id = f"t-{uuid.uuid4().hex[:12]}"
    await arrive(warehouse, [-0.8] * 12, tenant_id=tenant_id)
    dying = workers.start(ALERTS_DIE="1")

    async def killed() -> bool:
        return dying.poll() is not None

    await until("the worker dies", killed, workers.log)
    assert dying.returncode == -signal.SIGKILL
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM alert WHERE tenant_id = $1", tenant_id) == 1
        # The dead one's lease is over.
        await connection.execute("UPDATE alert_outbox SET next_attempt_at = now() WHERE sent_at IS NULL")
    workers.start()

    async def told() -> bool:
        async with db.connection() as connection:
            return not await connection.fetchval("SELECT count(*) FROM alert_outbox WHERE sent_at IS NULL")

    await until("the outbox is empty", told, workers.log)
    (event,) = await published(group, tenant_id)
    assert (event.state, event.tenant_id, event.count) == ("raised", tenant_id, 12)
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM alert") == 1
    assert len({request.headers["Idempotency-Key"] for request in receiver.asked}) == 1
