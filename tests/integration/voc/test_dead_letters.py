"""What could not pass is stored once, as it was, whatever happens to the worker, and the operator sees it (ADR 0016)."""

from __future__ import annotations

from typing import Any

import aiohttp

from tests.integration.voc.line import Line
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter, LetterRow
from voc_stream.clients.postgres import Database
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.security.vault import Vault

TOKEN = "tests-operator"


async def asked(worker: WorkerProcess, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return what the operator's page answers."""
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}", headers={"Authorization": f"Bearer {TOKEN}"}) as session,
        session.request("GET" if body is None else "POST", path, json=body, raise_for_status=True) as answer,
    ):
        return await answer.json()


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

        for partition in (1, 2):
            await line.until_committed(300, partition=partition)
        in_kafka = await line.letters()
        assert {letter.value for letter in in_kafka} == set(bad)
        await line.until(lambda: f"{len(in_kafka)} letters; there are {len(rows)}", lambda: stored(len(in_kafka)))
        assert len(rows) == len(in_kafka)
        assert len({(row.partition, row.offset) for row in rows}) == 600
        assert {(row.stage, row.error_type, row.tenant_id, row.state) for row in rows} == {("voc", "malformed", line.name, "open")}

        page = await asked(worker, f"/dlq?topic={line.topic}&limit=1")
        shown = await asked(worker, f"/dlq/{page['letters'][0]['id']}")
        assert shown["value"]["text"].encode() in bad
        assert shown["topic"] == line.topic
        (group,) = (await asked(worker, f"/dlq/groups?topic={line.topic}"))["groups"]
        assert (group["open"], group["tenants"]) == (len(rows), 1)
        assert await asked(worker, "/dlq/discard", {"topic": line.topic, "fingerprint": group["fingerprint"], "limit": 10}) == {"discarded": 10}
        assert await letters.count(LetterFilter(topic=line.topic, state="discarded")) == 10
    finally:
        await db.close()
