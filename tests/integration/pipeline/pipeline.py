"""The calls pipeline as the tests hold it: the stack, one worker on it, and eyes on every place that a call leaves a trace in."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from voc_stream import topics
from voc_stream.clients.postgres import Database
from voc_stream.devstack.audit import Audit, Row, read_all
from voc_stream.devstack.simulator import Simulator
from voc_stream.devstack.stack import Stack
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.errors import OutsideError
from voc_stream.settings import Settings

# Nothing waits longer than it must: calls are found within a second or two of their hang-up, a failed download is tried three times,
# a recording that never comes is missing soon.
PACE = {
    "AVAYA_POLL_SECONDS": "1",
    "AVAYA_GUARD_SECONDS": "1",
    "AVAYA_SWEEP_SECONDS": "2",
    "AVAYA_MAX_CALL_SECONDS": "1200",
    "AVAYA_MISSING_RETRY_SECONDS": "1",
    "AVAYA_MISSING_AFTER": "9",
    "AVAYA_TIMEOUT_SECONDS": "2",
    "DOWNLOAD_ATTEMPTS": "3",
    "ERROR_REDRIVES": "1",
    "REDRIVE_POLL_SECONDS": "0.5",
    "KAFKA_SESSION_TIMEOUT": "6",
    "POSTGRES_TIMEOUT_SECONDS": "3",
    "S3_TIMEOUT_SECONDS": "3",
    "CLICKHOUSE_TIMEOUT_SECONDS": "3",
    "SCORING_IN_FLIGHT": "2",
    "LOG_FORMAT": "json",
}
TENANTS = '[services]\n"acme-*" = "acme"\n"globex-*" = "globex"\n"initech-*" = "initech"\n'
PATIENCE_SECONDS = 120.0
SETTLING_SECONDS = 10.0
LOOK_SECONDS = 0.1

Letters = dict[str, list[Any]]


@dataclass(slots=True)
class Workshop:
    """What a session shares: the stack, and a worker that is started again when it ended or other settings are wanted."""

    stack: Stack
    folder: Path
    worker: WorkerProcess | None = None
    _settings: Mapping[str, str] = field(default_factory=dict)

    def running(self, settings: Mapping[str, str]) -> WorkerProcess:
        """Return the worker, ready, with these settings over `PACE`."""
        worker = self.worker
        if worker is None or dict(settings) != dict(self._settings):
            self.close()
            worker = self.worker = self.another("worker", settings)
            self._settings = dict(settings)
            worker.start()
        elif worker.poll() is not None:
            worker.start()
        worker.wait_ready()
        return worker

    def another(self, name: str, settings: Mapping[str, str]) -> WorkerProcess:
        """Return a worker that is not started yet, with the shared folder for its tables."""
        own = {"TENANTS_FILE": str(self.tenants_file)}
        return WorkerProcess(self.stack.folder.absolute(), self.folder / "state", self.folder / f"{name}.log", PACE | own | dict(settings))

    @property
    def tenants_file(self) -> Path:
        """The workers' tenants file."""
        return self.folder / "tenants.toml"

    def close(self) -> None:
        """Stop the worker."""
        worker, self.worker = self.worker, None
        if worker is not None and worker.poll() is None:
            worker.stop()


@dataclass(slots=True)
class Pipeline:
    """One test's view of the pipeline."""

    workshop: Workshop
    settings: Settings
    audit: Audit
    database: Database
    worker: WorkerProcess
    simulator: Simulator
    made: list[str] = field(default_factory=list)

    @property
    def stack(self) -> Stack:
        """The servers."""
        return self.workshop.stack

    # the recorder

    async def record(self, kind: str = "stereo", **wishes: Any) -> list[dict[str, Any]]:
        """Have the recorder record calls of a kind that hang up now; returns the truth about each segment."""
        answer = await asyncio.to_thread(self.simulator.ask, "calls", {"kind": kind, **wishes})
        self.made += [call["inum"] for call in answer["calls"]]
        return list(answer["calls"])

    async def spoken(self, count: int, **wishes: Any) -> list[str]:
        """Have short calls with words recorded; returns their call_ids."""
        return [call["inum"] for call in await self.record("stereo", count=count, dialogue="praise_short", **wishes)]

    async def hang_up(self, *call_ids: str) -> None:
        """End calls that were recorded with `hang_up="never"`."""
        for call_id in call_ids:
            await asyncio.to_thread(self.simulator.ask, f"calls/{call_id}/hangup", {})

    async def fault(self, kind: str, **wishes: Any) -> int:
        """Make the recorder fail; returns the number by which `mend` ends it."""
        answer = await asyncio.to_thread(self.simulator.ask, "faults", {"kind": kind, **wishes})
        return int(answer["id"])

    async def mend(self, fault: int | None = None) -> None:
        """End a fault, or all of them."""
        try:
            await asyncio.to_thread(self.simulator.ask, "faults" if fault is None else f"faults/{fault}", method="DELETE")
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 404:  # it happened as often as it should
                    raise

    async def faults_left(self) -> int:
        """Return how many faults are still set."""
        return len((await asyncio.to_thread(self.simulator.ask, "faults"))["faults"])

    async def requests(self, command: str) -> dict[str, int]:
        """Return how many requests of a command the recorder answered, by status."""
        stats = await asyncio.to_thread(self.simulator.ask, "stats")
        return dict(stats["requests"][command])

    async def errors_are_due(self, *call_ids: str) -> None:
        """Let the time pass that a failed call waits until it is driven again (ERROR_REDRIVE_SECONDS)."""
        await self.rows("UPDATE call SET next_attempt_at = now() WHERE call_id = ANY($1::varchar[]) AND status = 'ERROR'", call_ids)

    # waiting

    async def until(self, what: str, holds: Callable[[], Awaitable[bool]], patience: float = PATIENCE_SECONDS) -> None:
        """Wait until it holds; a server that is down meanwhile is no answer."""
        deadline = time.monotonic() + patience
        while not await _answered(holds):
            if (code := self.worker.poll()) is not None:
                raise AssertionError(f"{what}: the worker ended with {code}; its last lines:\n{self.worker.last_lines(8)}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {patience:.0f} s; the worker's last lines:\n{self.worker.last_lines(8)}")
            await asyncio.sleep(LOOK_SECONDS)

    async def until_status(self, call_ids: Collection[str], *statuses: str) -> dict[str, Row]:
        """Wait until each of the calls is in one of the statuses; returns their rows."""
        rows: dict[str, Row] = {}

        async def reached() -> bool:
            rows.update(await self.audit.rows(call_ids))
            return len(rows) == len(set(call_ids)) and all(str(row.status) in statuses for row in rows.values())

        try:
            await self.until(f"{len(call_ids)} calls {' or '.join(statuses)}", reached)
        except AssertionError as error:
            stuck = {call_id: str(rows[call_id].status) if call_id in rows else "unknown" for call_id in call_ids}
            raise AssertionError(f"{error}\n{stuck}") from None
        return rows

    async def until_settled(self, call_ids: Collection[str]) -> dict[str, Row]:
        """Wait until the calls are final and the results of those that have one are in ClickHouse; returns their rows."""
        rows = await self.until_status(call_ids, "SCORED", "NOT_SCORABLE", "MISSING", "ERROR")
        wanted = {call_id for call_id, row in rows.items() if str(row.status) in {"SCORED", "NOT_SCORABLE"}}

        async def exported() -> bool:
            return wanted <= set(await self.audit.exported())

        await self.until(f"{len(wanted)} results in ClickHouse", exported)
        return rows

    async def assert_consistent(self, call_ids: Collection[str]) -> None:
        """Assert that every place agrees on the calls: one object, one result, one row each, no call pending.

        What is published last may be a moment behind; what is there twice stays.
        """
        problems: list[str] = []

        async def agreed() -> bool:
            findings = await self.audit.examine(call_ids, words=False)
            problems[:] = findings.problems
            return not problems and not findings.states["PENDING"]

        try:
            await self.until("every place agrees", agreed, patience=SETTLING_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{problems}") from None

    # PostgreSQL

    async def row(self, query: str, *values: object) -> Mapping[str, Any]:
        """Return the one row that a query finds; without one it is empty."""
        found = await self.rows(query, *values)
        assert len(found) <= 1
        return found[0] if found else {}

    async def rows(self, query: str, *values: object) -> list[Mapping[str, Any]]:
        """Return every row that a query finds."""
        async with self.database.connection() as connection:
            return [dict(record) for record in await connection.fetch(query, *values)]

    # Kafka

    async def write(
        self, topic: str, *records: tuple[bytes | None, bytes | None], partition: int | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> list[int]:
        """Write records (key, value) as they are; returns their offsets."""
        producer = AIOKafkaProducer(
            bootstrap_servers=list(self.settings.kafka_bootstrap), acks="all", max_request_size=64 << 20, compression_type="lz4"
        )
        await producer.start()
        try:
            sent = [await producer.send_and_wait(topic, value, key, partition, headers=list(headers)) for key, value in records]
        finally:
            await producer.stop()
        return [metadata.offset for metadata in sent]

    async def read(self, topic: str, call_ids: Collection[str] | None = None) -> list[Any]:
        """Return the records of a topic, by default all of them."""
        wanted = None if call_ids is None else {call_id.encode() for call_id in call_ids}
        return [record for record in await read_all(self.settings, topic) if wanted is None or record.key in wanted]

    async def letters(self, call_ids: Collection[str]) -> Letters:
        """Return the dead letters of the calls, by topic; topics without one are left out."""
        twins = [topic.dead_letter.name for topic in topics.CALLS_PIPELINE if topic.dead_letter is not None]
        found = await asyncio.gather(*(self.read(twin, call_ids) for twin in twins))
        return {twin: records for twin, records in zip(twins, found, strict=True) if records}

    async def until_letters(self, topic: str, keys: Sequence[bytes]) -> dict[bytes, Any]:
        """Wait until a dead-letter topic has a record of each key; returns the newest by key."""
        found: dict[bytes, Any] = {}

        async def there() -> bool:
            found.update({record.key: record for record in await self.read(topic) if record.key in keys})
            return len(found) == len(set(keys))

        await self.until(f"{len(keys)} dead letters in {topic}", there)
        return found

    # the worker

    def page(self, path: str) -> tuple[int, Any]:
        """Return status and JSON of one of the worker's pages."""
        return page(self.worker, path)

    async def until_unready(self, dependency: str) -> None:
        """Wait until `/readyz` names the dependency."""

        async def named() -> bool:
            status, answer = await asyncio.to_thread(self.page, "readyz")
            return status == 503 and any(reason.startswith(f"{dependency}: ") for reason in answer["reasons"])

        await self.until(f"/readyz names {dependency}", named)

    async def until_ready(self) -> None:
        """Wait until `/readyz` has nothing against the worker."""

        async def ready() -> bool:
            return (await asyncio.to_thread(self.page, "readyz"))[0] == 200

        await self.until("the worker is ready", ready)


def page(worker: WorkerProcess, path: str) -> tuple[int, Any]:
    """Return status and JSON of a worker's page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def reason_of(letter: Any) -> str:
    """Return a dead letter's reason."""
    return header(letter, "reason")


def header(letter: Any, name: str) -> str:
    """Return one of the headers that the dead letter added."""
    text: str = next(value.decode() for key, value in letter.headers if key == f"voc-dlq-{name}")
    return text


def decoded(record: Any) -> dict[str, Any]:
    """Return a record's JSON."""
    value: dict[str, Any] = msgspec.json.decode(record.value)
    return value


async def _answered(holds: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await holds()
    except (OutsideError, KafkaError, OSError):
        return False
