"""Workers of two releases on one stack: who runs, what is sent to them, and what became of it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.integration.pipeline.pipeline import PACE
from tests.voc import action_value
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.audit import Audit
from voc_stream.devstack.ports import free_port
from voc_stream.devstack.simulator import Simulator
from voc_stream.devstack.stack import Stack
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.settings import Settings

PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.2
TOPIC = "voc.actions"
_STORED = "SELECT toString(event_id) AS id, count() AS rows FROM voc_events WHERE tenant_id = {tenant:String} GROUP BY id"


@dataclass(slots=True)
class Rollout:
    """Starts workers of this release and of the one before, and counts.

    Attributes:
        events: ids of all events that were sent.
        calls: ids of all calls that were made.
    """

    stack: Stack
    settings: Settings
    old_code: Path
    folder: Path
    tenants: Path
    audit: Audit
    tenant: str = field(default_factory=lambda: f"compat-{uuid.uuid4().hex[:8]}")
    events: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    _workers: list[WorkerProcess] = field(default_factory=list)

    async def old(self) -> WorkerProcess:
        """Start a worker of the release before; return it when it is ready."""
        port = free_port()  # it knows one port, for its pages and for people
        return await self._started("old", {"HTTP_PORT": str(port)}, port, self.old_code)

    async def new(self) -> WorkerProcess:
        """Start a worker of this release; return it when it is ready."""
        return await self._started("new", {}, None, None)

    async def _started(self, name: str, more: dict[str, str], port: int | None, code: Path | None) -> WorkerProcess:
        # One folder for all: as on a volume, tables that one release wrote are opened by the other.
        own = {"TENANTS_FILE": str(self.tenants), **more}
        log = self.folder / f"{name}-{len(self._workers)}.log"
        worker = WorkerProcess(self.stack.folder.absolute(), self.folder / "state", log, PACE | own, code=code)
        worker.port = port or worker.port
        worker.start()
        self._workers.append(worker)
        await asyncio.to_thread(worker.wait_ready)
        return worker

    async def stop(self, worker: WorkerProcess) -> None:
        """Stop a worker as a rollout does."""
        assert await asyncio.to_thread(worker.stop) == 0, worker.last_lines()

    async def send(self, events: int = 300, calls: int = 2) -> None:
        """Send events to all partitions, and let calls hang up."""
        made = await asyncio.to_thread(Simulator(self.stack.endpoints).ask, "calls", {"kind": "stereo", "count": calls, "dialogue": "praise_short"})
        self.calls += [call["inum"] for call in made["calls"]]
        ids = [str(uuid.uuid4()) for _ in range(events)]
        producer = AIOKafkaProducer(bootstrap_servers=list(self.settings.kafka_bootstrap), acks="all")
        await producer.start()
        try:
            values = (action_value(tenant_id=self.tenant, event_id=event_id) for event_id in ids)
            sent = [await producer.send(TOPIC, value, partition=number % 12) for number, value in enumerate(values)]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
        self.events += ids

    async def until_all_arrived(self, who: str) -> None:
        """Wait until every event is stored and every call is final and everywhere."""
        await self._until(lambda: f"{who}: events", self._events_arrived)
        await self._until(lambda: f"{who}: calls", self._calls_arrived)

    async def stored(self) -> Counter[str]:
        """Return how many rows each event of ours has."""
        warehouse = Warehouse(self.settings)
        try:
            rows = await warehouse.query(_STORED, {"tenant": self.tenant})
        finally:
            await warehouse.close()
        return Counter({row["id"]: int(row["rows"]) for row in rows})

    async def problems(self) -> list[str]:
        """Return what the places that know of the calls do not agree on."""
        findings = await self.audit.examine(self.calls, words=False)
        return [*findings.problems, *(f"{count} calls {state}" for state, count in findings.states.items() if state != "SCORED" and count)]

    def close(self) -> None:
        """End whoever runs."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()

    async def _events_arrived(self) -> bool:
        return set(self.events) <= set(await self.stored())

    async def _calls_arrived(self) -> bool:
        return not await self.problems()

    async def _until(self, what: Callable[[], str], holds: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what()}: not within {PATIENCE_SECONDS:.0f} s; {await self._said()}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _said(self) -> str:
        stored: Any = await self.stored()
        logs = "\n".join(f"{worker.log.name}:\n{worker.last_lines(6)}" for worker in self._workers)
        return f"{len(stored)} of {len(self.events)} events; {await self.problems()}\n{logs}"
