"""What could not pass is stored once, as it was, whatever happens to the worker, and the operator sees it (ADR 0016)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.voc.line import Line
from tests.integration.voc.operating import operating
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter, LetterRow
from voc_stream.clients.postgres import Database
from voc_stream.security.vault import Vault


@pytest.fixture
async def letters(line: Line) -> AsyncIterator[DeadLetters]:
    db = Database(line.settings)
    yield DeadLetters(db, Vault(line.settings.encryption_keys, line.settings.pii_key_id))
    await db.close()


def bad_values(line: Line, first: int, count: int) -> list[bytes]:
    """Return values that are no events, each another one."""
    return [b'{"tenant_id": "%s", "number": %d}' % (line.name.encode(), number) for number in range(first, first + count)]


async def until_stored(line: Line, letters: DeadLetters, count: int) -> list[LetterRow]:
    """Wait until so many letters of the line are stored; returns them all."""
    rows: list[LetterRow] = []

    async def enough() -> bool:
        rows[:] = await letters.find(LetterFilter(topic=line.topic), 5000)
        return len(rows) >= count

    await line.until(lambda: f"{count} letters; there are {len(rows)}", enough)
    return rows


async def test_bad_records_are_stored_as_they_were_and_the_operator_sees_and_discards_them(line: Line, letters: DeadLetters) -> None:
    worker = await line.started(BATCH_FLUSH_SECONDS="0.2")
    bad = bad_values(line, 0, 20)
    await line.write(bad, partition=1)
    rows = await until_stored(line, letters, 20)
    assert {(row.stage, row.error_type, row.tenant_id, row.state) for row in rows} == {("voc", "malformed", line.name, "open")}
    assert {(row.partition, row.offset) for row in rows} == {(1, offset) for offset in range(20)}

    async with operating(line, worker) as operator:
        page = await operator.asked(f"/dlq?topic={line.topic}&limit=1")
        shown = await operator.asked(f"/dlq/{page['letters'][0]['id']}")
        assert shown["value"]["text"].encode() == bad[shown["offset"]]
        (group,) = (await operator.asked(f"/dlq/groups?topic={line.topic}"))["groups"]
        assert (group["count"], group["open"], group["tenants"]) == (20, 20, 1)
        chosen = {"topic": line.topic, "fingerprint": group["fingerprint"], "limit": 12}
        assert [(await operator.asked("/dlq/discard", chosen))["discarded"] for _ in range(3)] == [12, 8, 0]


@pytest.mark.chaos
async def test_bad_records_are_stored_once_each_though_the_worker_is_killed_while_it_stores_them(line: Line, letters: DeadLetters) -> None:
    worker = await line.started(BATCH_FLUSH_SECONDS="0.2")
    bad = bad_values(line, 0, 2000)
    await line.write(bad[:1000], partition=1)
    await until_stored(line, letters, 1)
    worker.kill()
    await line.write(bad[1000:], partition=2)
    await line.started(BATCH_FLUSH_SECONDS="0.2")
    for partition in (1, 2):
        await line.until_committed(1000, partition=partition)
    in_kafka = await line.letters()
    assert {letter.value for letter in in_kafka} == set(bad)
    rows = await until_stored(line, letters, len(in_kafka))
    assert len(rows) == len(in_kafka), "a row for each record of the dead-letter topic"
    assert len({(row.partition, row.offset) for row in rows}) == 2000
