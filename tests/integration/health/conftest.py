"""Workers of one stage, with a topic and a group of the test's own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from voc_stream import topic_admin
from voc_stream.devstack.ports import free_port
from voc_stream.settings import Settings
from voc_stream.topics import all_topics

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 90.0
STUCK_SECONDS, GROUP_SECONDS, WATCHDOG_SECONDS = 6.0, 3.0, 4.0


@dataclass(slots=True)
class Patient:
    """A worker process."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, page: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
        """Return what a page says; 0 while nobody listens."""
        try:
            with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}/{page}", method=method), timeout=5) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except OSError:
            return 0, {}

    async def says(self, page: str, wanted: Callable[[int, list[str]], bool]) -> list[str]:
        """Wait until a page answers as wanted, by its status and reasons; returns the reasons."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, said = await asyncio.to_thread(self.ask, page)
            reasons = said.get("reasons", [])
            if wanted(status, reasons):
                return list(reasons)
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.last_lines()}"
            assert time.monotonic() < deadline, f"/{page} still says {status} {said}: {self.last_lines()}"
            await asyncio.sleep(0.1)

    async def cause(self, fault: str) -> None:
        """Make it ill, and wait for no answer."""
        await asyncio.to_thread(self.ask, f"cause/{fault}", "POST")

    async def ends(self) -> int:
        """Wait until it ends by itself; returns its exit code."""
        return await asyncio.to_thread(self.process.wait, PATIENCE_SECONDS)

    def last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])


@dataclass(slots=True)
class Ward:
    """One test's workers."""

    settings: Settings
    folder: Path
    topic: str
    patients: list[Patient] = field(default_factory=list)

    def admit(self, **settings: str) -> Patient:
        """Start a worker, with these settings on top."""
        port = free_port()
        log = self.folder / f"{len(self.patients)}.log"
        own = {
            "HEALTH_TOPIC": self.topic,
            "HEALTH_STUCK_SECONDS": str(STUCK_SECONDS),
            "SCORING_TIMEOUT_SECONDS": "1",
            "HEALTH_GROUP_SECONDS": str(GROUP_SECONDS),
            "WATCHDOG_SECONDS": str(WATCHDOG_SECONDS),
            "KAFKA_GROUP_ID": self.settings.kafka_group_id,
            "KAFKA_SESSION_TIMEOUT": "6",
            "STATE_DIR": str(self.folder / "state"),
            "OPERATOR_PORT": str(port),
            "WEB_ENABLED": "false",
            "LOG_FORMAT": "json",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "tests.integration.health.app", "worker", "-l", "info"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=os.environ | own | settings, stdout=output, stderr=output)
        self.patients.append(Patient(process, port, log))
        return self.patients[-1]

    async def write(self, value: bytes) -> None:
        """Write a record."""
        producer = AIOKafkaProducer(bootstrap_servers=list(self.settings.kafka_bootstrap), acks="all")
        await producer.start()
        await producer.send_and_wait(self.topic, value)
        await producer.stop()

    def discharge(self) -> None:
        """Leave no process behind."""
        for patient in self.patients:
            if patient.process.poll() is None:
                patient.process.send_signal(signal.SIGCONT)
                patient.process.kill()
            patient.process.wait()


@pytest.fixture
async def ward(settings: Settings, tmp_path: Path) -> AsyncIterator[Ward]:
    group = f"health-{uuid.uuid4().hex[:12]}"
    own = settings.model_copy(update={"kafka_group_id": group})
    said: list[str] = []
    assert await topic_admin.run(own, said.append) != 2, said
    admin = AIOKafkaAdminClient(bootstrap_servers=list(own.kafka_bootstrap))
    await admin.start()
    topics = [f"{group}.in", f"{group}.in.dlq"]
    await admin.create_topics([NewTopic(name, 1, 1) for name in topics])
    made = Ward(own, tmp_path, topics[0])
    try:
        yield made
    finally:
        made.discharge()
        await admin.delete_topics([*topics, *(topic.name for topic in all_topics(own) if topic.name.startswith(group))])
        await admin.close()
