"""What could not pass is stored once, as it was, whatever happens to the worker, and the operator sees it (ADR 0016)."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any

from tests.integration.voc.line import Line
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter, LetterRow
from voc_stream.clients.postgres import Database
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.security.vault import Vault

TOKEN = "tests-operator"


def asked(worker: WorkerProcess, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return what the operator's page answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{worker.port}{path}", data, {"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=15) as answer:
        return json.load(answer)


async def test_bad_records_are_stored_once_each_though_the_worker_is_killed_and_the_operator_sees_and_discards_them(line: Line) -> None:
    bad = [b'{"tenant_id": "%s", "number": %d}' % (line.name.encode(), number) for number in range(600)]
    db = Database(line.settings)
    letters = DeadLetters(db, Vault(line.settings.encryption_keys, line.settings.pii_key_id))
    where = LetterFilter(topic=line.topic)
    rows: list[LetterRow] = []

    async def stored(count: int) -> bool:
        rows[:] = await letters.find(where, 1000)
        return len(rows) >= count

    try:
        worker = await line.started(BATCH_FLUSH_SECONDS="0.2")
        await line.write(bad[:300], partition=1)
        await line.until(lambda: f"the first of 300 letters; there are {len(rows)}", lambda: stored(1))
        worker.kill()
        await line.write(bad[300:], partition=2)
        worker = await line.started(BATCH_FLUSH_SECONDS="0.2", OPERATOR_TOKEN=TOKEN)

        async def all_there() -> bool:
            await stored(600)
            return len({(row.partition, row.offset) for row in rows}) == 600

        await line.until(lambda: f"600 letters; there are {len(rows)}", all_there)
        in_kafka = await line.letters()
        assert sorted({letter.value for letter in in_kafka}) == sorted(bad)
        assert len(rows) <= len(in_kafka), "one row a record of the dead-letter topic"
        assert {(row.stage, row.error_type, row.tenant_id, row.state) for row in rows} == {("voc", "malformed", line.name, "open")}

        page = await asyncio.to_thread(asked, worker, f"/dlq?topic={line.topic}&limit=1")
        shown = await asyncio.to_thread(asked, worker, f"/dlq/{page['letters'][0]['id']}")
        assert shown["value"]["text"].encode() in bad
        assert shown["topic"] == line.topic
        (group,) = (await asyncio.to_thread(asked, worker, f"/dlq/groups?topic={line.topic}"))["groups"]
        assert (group["open"], group["tenants"]) == (len(rows), 1)
        assert await asyncio.to_thread(asked, worker, "/dlq/discard", {"fingerprint": group["fingerprint"], "limit": 10}) == {"discarded": 10}
        assert await letters.count(LetterFilter(topic=line.topic, state="discarded")) == 10
    finally:
        await db.close()
