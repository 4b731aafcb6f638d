"""Customer events that were dead letters are stored once each, though the requeue is killed in the middle and given again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from tests.integration.voc.line import Line
from tests.integration.voc.operating import operating
from tests.voc import action_value, event_id
from voc_stream import requeue
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter, LetterRow
from voc_stream.clients.postgres import Database
from voc_stream.devstack.worker_process import ROOT, WorkerProcess
from voc_stream.runtime.publisher import Publisher
from voc_stream.security.vault import Vault
from voc_stream.stages.requeue_mark import RequeueMark, mark_of

COUNT = 100
NOBODY = '[services]\n"*" = "somebody-else"\n'


@pytest.fixture
async def db(line: Line) -> AsyncIterator[Database]:
    database = Database(line.settings)
    yield database
    await database.close()


@pytest.fixture
def letters(line: Line, db: Database) -> DeadLetters:
    return DeadLetters(db, Vault(line.settings.encryption_keys, line.settings.pii_key_id))


class _Producing:
    """What a publisher asks of an app."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def maybe_start_producer(self) -> _Producing:
        return self

    async def send(self, topic: str, key: Any, value: Any, *where: Any) -> Any:
        return await self._producer.send(topic, value, key, *where)


@asynccontextmanager
async def publisher(line: Line) -> AsyncIterator[Publisher]:
    producer = AIOKafkaProducer(bootstrap_servers=list(line.settings.kafka_bootstrap), acks="all")
    await producer.start()
    try:
        yield Publisher(_Producing(producer))
    finally:
        await producer.stop()


async def command(line: Line, *arguments: str) -> asyncio.subprocess.Process:
    """Start `faust -A voc_stream dlq requeue …` on the line's group, topic and databases."""
    env = {
        "STACK_DIR": str(line.stack.folder.absolute()),
        "STATE_DIR": str(line.folder / "cli"),
        "KAFKA_GROUP_ID": line.name,
        "KAFKA_TOPICS": line.topic,
        "POSTGRES_DSN": line.settings.postgres_dsn.get_secret_value(),
        "POSTGRES_TIMEOUT_SECONDS": "60",
        "PII_KEYS": line.settings.pii_keys.get_secret_value(),
        "PII_KEY_ID": line.settings.pii_key_id,
        "DLQ_REQUEUE_RATE": "1000",
    }
    argv = [sys.executable, "-m", "faust", "-A", "voc_stream", "dlq", "requeue", *arguments]
    return await asyncio.create_subprocess_exec(
        *argv, cwd=ROOT, env=os.environ | env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )


@asynccontextmanager
async def no_audit(db: Database) -> AsyncIterator[None]:
    """Let whoever writes to the audit log wait: a requeue has then published and not yet written down what."""
    async with db.transaction() as connection:
        await connection.execute("LOCK TABLE audit_log IN EXCLUSIVE MODE")
        yield


async def marked(line: Line) -> list[Any]:
    """Return the topic's records that were sent back."""
    return [record for record in await line.records() if mark_of(record.headers)]


async def test_a_requeue_that_is_killed_in_the_middle_is_given_again_with_one_effect_and_what_fails_again_is_linked_and_capped(
    line: Line, db: Database, letters: DeadLetters
) -> None:
    tenants = line.folder / "tenants.toml"
    tenants.write_text(NOBODY)
    worker = await line.started(BATCH_FLUSH_SECONDS="0.2", TENANTS_STRICT="true", TENANTS_FILE=str(tenants))
    now = datetime.now(UTC)
    for partition in range(2):
        first = partition * COUNT
        await line.write([action_value(number, tenant_id=line.name, timestamp=now) for number in range(first, first + COUNT)], partition=partition)
    await line.write([b'{"tenant_id": "broken'], partition=2)
    rows = await until_found(line, letters, LetterFilter(topic=line.topic), lambda found: len(found) == 2 * COUNT + 1)
    (unknown,) = {row.fingerprint for row in rows if row.error_type == "unknown_tenant"}
    where = LetterFilter(topic=line.topic, fingerprint=unknown)
    settings = line.settings.model_copy(update={"tenants_strict": True, "tenants_file": tenants, "kafka_topics": (line.topic,)})

    assert (await dry(settings, where))[-1] == f"dlq dry run: letters={2 * COUNT} pass=0 fail={2 * COUNT} unknown=0 barred=0"
    tenants.write_text(f'{NOBODY}"b" = "{line.name}"\n')
    assert (await dry(settings, where))[-1] == f"dlq dry run: letters={2 * COUNT} pass={2 * COUNT} fail=0 unknown=0 barred=0"
    told = await dry(settings, LetterFilter(topic=line.topic))
    assert told[-1] == f"dlq dry run: letters={2 * COUNT + 1} pass={2 * COUNT} fail=1 unknown=0 barred=0"

    async with no_audit(db):
        killed = await command(line, "--topic", line.topic, "--fingerprint", unknown, "--yes")
        await line.until(lambda: "a batch is published", lambda: published(line))
        killed.send_signal(signal.SIGKILL)
        await killed.wait()
    published_before = await marked(line)
    assert await letters.count(LetterFilter(topic=line.topic, state="requeued")) == 0
    await line.until(lambda: "the killed one's letters are free", lambda: are_free(db, line.topic, 2 * COUNT + 1))

    again = await command(line, "--topic", line.topic, "--fingerprint", unknown, "--yes")
    said, _ = await again.communicate()
    assert (again.returncode, said.decode().splitlines()[-1]) == (0, f"dlq requeue: chosen={2 * COUNT} sent={2 * COUNT} along=0 left_open=0"), said

    await line.until_stored(2 * COUNT)
    for partition in range(2):
        ours = [record for record in await marked(line) if record.partition == partition]
        await line.until_committed(COUNT + len(ours), partition=partition)
    stored = await line.rows()
    assert sorted(row["id"] for row in stored) == sorted(str(event_id(number)) for number in range(2 * COUNT))
    copies = Counter(mark_of(record.headers) for record in await marked(line))
    ids = {row.id for row in rows if row.fingerprint == unknown}
    assert set(copies) == {RequeueMark(number, 1) for number in ids}
    assert sum(copies.values()) == 2 * COUNT + len(published_before)
    assert 0 < len(published_before) <= 20
    assert await audited(db) == {f"dead letter {number}": 1 for number in ids}

    assert await sent(line, settings, where) == (0, "dlq requeue: chosen=0 sent=0 along=0 left_open=0")
    await fails_again(line, worker, letters, settings)


async def fails_again(line: Line, worker: WorkerProcess, letters: DeadLetters, settings: Any) -> None:
    """Send back what no event can be made of, once and once too often."""
    where = LetterFilter(topic=line.topic, state="open")
    (first,) = await letters.find(where, 10)
    before = len(await marked(line))
    once = settings.model_copy(update={"dlq_max_requeues": 1})

    async with operating(line, worker, tenants_strict=True, tenants_file=settings.tenants_file) as operator:
        tried = await operator.asked("/dlq/dry-run", {"ids": [first.id]})
        done = await operator.asked("/dlq/requeue", {"topic": line.topic})
    assert (tried["letters"], tried["fails"], tried["complete"]) == (1, 1, True)
    assert done == {"chosen": 1, "sent": 1, "along": 0, "left_open": [], "waiting": None}
    (second,) = await until_found(line, letters, where, lambda found: bool(found) and found[0].id != first.id)
    assert (second.requeues, second.requeued_from, second.fingerprint, second.partition) == (1, first.id, first.fingerprint, 2)
    whole = [await letters.get(row.id) for row in (first, second)]
    assert len({(letter.key, letter.value, letter.headers) for letter in whole if letter}) == 1

    assert await sent(line, once, where) == (1, "dlq requeue: chosen=1 sent=0 along=0 left_open=1")
    assert (await dry(once, where))[-1] == "dlq dry run: letters=1 pass=0 fail=0 unknown=0 barred=1"
    assert len(await marked(line)) == before + 1


async def until_found(line: Line, letters: DeadLetters, where: LetterFilter, enough: Callable[[list[LetterRow]], bool]) -> list[LetterRow]:
    """Wait until the letters are stored; returns them."""
    rows: list[LetterRow] = []

    async def found() -> bool:
        rows[:] = await letters.find(where, 1000)
        return enough(rows)

    await line.until(lambda: f"letters; there are {len(rows)}", found)
    return rows


async def published(line: Line) -> bool:
    return bool(await marked(line))


async def are_free(db: Database, topic: str, count: int) -> bool:
    """Whether nobody holds a letter: PostgreSQL ends what a killed client began."""
    async with db.connection() as connection:
        free = await connection.fetch("SELECT id FROM dead_letter WHERE topic = $1 FOR UPDATE SKIP LOCKED", topic)
    return len(free) == count


async def audited(db: Database) -> dict[str, int]:
    async with db.connection() as connection:
        rows = await connection.fetch("SELECT subject, count(*) FROM audit_log WHERE action = 'dead letter requeued' GROUP BY subject")
    return {row[0]: row[1] for row in rows}


async def dry(settings: Any, where: LetterFilter) -> list[str]:
    lines: list[str] = []
    assert await requeue.dry_run(settings, lines.append, where, most=None) == 0
    return lines


async def sent(line: Line, settings: Any, where: LetterFilter) -> tuple[int, str]:
    """Send letters back within this process; returns the exit code and the last line."""
    lines: list[str] = []
    ours = settings.model_copy(update={"kafka_group_id": line.name})
    async with publisher(line) as taken:
        code = await requeue.requeue(ours, lines.append, where, publisher=taken, actor="cli:tests", limit=None)
    return code, lines[-1]
