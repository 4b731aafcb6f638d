"""Customer events on the real stack while their stage pauses itself, is paused, or cannot write a dead letter (docs/adr/0017)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.integration.voc.line import Line, _admin
from tests.integration.voc.operating import Operating, operating
from tests.integration.voc.test_windows import ids, values
from voc_stream.clients.postgres import Database
from voc_stream.devstack.worker_process import WorkerProcess

PAUSED = {"action": "pause", "stage": "voc", "reason": "a bad deploy"}
RESUMED = {"action": "resume", "stage": "voc"}


async def reasons(worker: WorkerProcess) -> list[str]:
    """Return what `/readyz` has against the worker."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}") as session, session.get("/readyz") as answer:
        told: dict[str, Any] = await answer.json()
    return list(told.get("reasons", []))


async def until_told(line: Line, worker: WorkerProcess, word: str, *, holds: bool = True) -> None:
    """Wait until a reason with this word is there, or is not."""
    found: list[str] = []

    async def so() -> bool:
        found[:] = await reasons(worker)
        return any(word in reason for reason in found) == holds

    await line.until(lambda: f"{word!r} in /readyz: {holds}; it says {found}", so)


async def until_letters(line: Line, count: int) -> None:
    found: list[Any] = []

    async def there() -> bool:
        found[:] = await line.letters()
        return len(found) >= count

    await line.until(lambda: f"{count} dead letters; there are {len(found)}", there)


async def until_paused(line: Line, worker: WorkerProcess) -> None:
    """Wait until the worker follows a tenant's pause."""

    async def followed() -> bool:
        return 'voc_paused_tenants{stage="*"} 1.0' in await asyncio.to_thread(worker.metrics)

    await line.until(lambda: "the tenant is paused", followed)


def bad(number: int) -> bytes:
    """What a deploy of the producers sends that renamed a field: of ten tenants."""
    return b'{"tenant_id":"tenant-%d","kind":"call","number":%d}' % (number % 10, number)


async def test_a_bad_deploy_stops_the_stage_not_the_offset_s_meaning_and_operators_pause_and_resume_it(line: Line) -> None:
    worker = await line.started(BATCH_FLUSH_SECONDS="0.2", SELF_PAUSE_RUN="30")
    await line.write(values(0, 20), partition=1)
    await line.until_committed(20, partition=1)

    await line.write([bad(number) for number in range(3000)], partition=0)
    await until_told(line, worker, "voc: paused itself: ")
    await line.write(values(100, 20), partition=1)
    # Nothing of the window that was too much; those before it may have been short.
    stood_at = (await line.committed()).get(0, 0)
    assert stood_at <= len(await line.letters()) <= 100
    async with operating(line, worker) as operator:
        shown = await operator.asked("/pauses")
        assert [reason for reason in shown["stages"] if reason.startswith("voc: paused itself")] == shown["stages"]
        assert 'voc_stage_paused{by="self",stage="voc"} 1.0' in await asyncio.to_thread(worker.metrics)

        await operator.asked("/pauses", RESUMED)
        await until_letters(line, 3000)
        await line.until_committed(3000, partition=0)
        await line.until_committed(40, partition=1)
        assert {row["id"] for row in await line.rows()} == ids(0, 20) | ids(100, 20)
        assert len(await line.letters()) == 3000

        await operator.asked("/pauses", PAUSED)
        await until_told(line, worker, "voc: paused by an operator (a bad deploy)")
        await line.write(values(200, 20), partition=1)
        await operator.asked("/pauses", RESUMED)
        await until_told(line, worker, "voc", holds=False)
        await line.until_stored(60)
        await _is_audited(line, operator)


async def _is_audited(line: Line, operator: Operating) -> None:
    db = Database(line.settings)
    query = "SELECT actor, action, subject, after FROM audit_log WHERE subject = 'stage voc' ORDER BY id"
    found: list[tuple[str, str]] = []

    async def all_of_it() -> bool:
        async with db.connection() as connection:
            rows = await connection.fetch(query)
        found[:] = [(row["actor"], row["action"]) for row in rows if json.loads(row["after"])]
        return len(found) >= 5

    try:
        await line.until(lambda: f"five rows in the audit log; there are {found}", all_of_it)
    finally:
        await db.close()
    operators = [action for actor, action in found if actor == operator.actor]
    assert operators == ["resume", "pause", "resume"]
    assert sorted(action for actor, action in found if actor == "self-pause") == ["self_pause", "self_resume"]


@pytest.mark.chaos
async def test_rubbish_of_one_tenant_and_a_paused_tenant_leave_the_others_alone_and_come_later(line: Line) -> None:
    """The overflow topic is shared with other lines: of it only what is of this one's tenant, or names its topic, counts."""
    worker = await line.started(BATCH_FLUSH_SECONDS="0.2", TENANT_EVENT_LETTERS_PER_SECOND="10")
    rubbish = b'{"tenant_id":"%s","kind":"call"}' % line.name.encode()
    mixed = [rubbish if number % 2 else value for number, value in enumerate(values(0, 800, tenant_id="globex"))]
    await line.write(mixed)
    await line.until_committed(800)
    assert len(await line.rows()) == 400
    assert [reason for reason in await reasons(worker) if "voc" in reason] == []
    await until_letters(line, 400)
    places = {(header["voc-dlq-topic"], header["voc-dlq-offset"]) for header in (dict(letter.headers) for letter in await line.letters())}
    assert places == {(line.topic.encode(), b"%d" % number) for number in range(1, 800, 2)}

    async with operating(line, worker) as operator:
        await operator.asked("/pauses", {"action": "pause", "tenant_id": line.name})
        await until_paused(line, worker)
        own, others = values(1000, 10, tenant_id=line.name), values(2000, 10, tenant_id="globex")
        await line.write([value for pair in zip(own, others, strict=True) for value in pair])
        await line.until_committed(820)
        assert {row["id"] for row in await line.rows()} & (ids(1000, 10) | ids(2000, 10)) == ids(2000, 10)
        await operator.asked("/pauses", {"action": "resume", "tenant_id": line.name})
    rows = await line.until_stored(420)
    assert {row["id"] for row in rows} >= ids(1000, 10)


@pytest.mark.chaos
async def test_while_the_dead_letter_topic_is_gone_the_offset_does_not_move_and_other_topics_go_on(line: Line) -> None:
    """Fault 10."""
    worker = await line.started(BATCH_FLUSH_SECONDS="0.2")
    async with _admin(line.settings) as admin:
        await admin.delete_topics([f"{line.topic}.dlq"])
    await line.write([*values(0, 10), b"{no event", *values(10, 10)])
    await line.write(values(100, 10), partition=1)
    await until_told(line, worker, f"voc: its dead letters cannot be written: {line.topic}.dlq")
    assert (await line.committed()).get(0, 0) == 0
    await line.until_committed(10, partition=1)
    assert await asyncio.to_thread(worker.poll) is None

    await line.make_topics()
    await line.until_committed(21)
    assert [letter.value for letter in await line.letters()] == [b"{no event"]
    assert {row["id"] for row in await line.rows()} == ids(0, 20) | ids(100, 10)
    await until_told(line, worker, "dead letters", holds=False)
