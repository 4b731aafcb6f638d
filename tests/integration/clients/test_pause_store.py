"""The operator's orders in PostgreSQL, each with its row in the audit log (docs/pausing.md)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from voc_stream import pausing
from voc_stream.clients.pause_store import PauseStore
from voc_stream.clients.postgres import Database
from voc_stream.errors import RejectedError
from voc_stream.settings import Settings
from voc_stream.stages.pause_orders import EVERY

STAGES = ("download", "score", "voc")


@pytest.fixture
async def pauses(db: Database) -> PauseStore:
    async with db.connection() as connection:
        await connection.execute("DELETE FROM pause")
    return PauseStore(db)


async def audited(db: Database) -> list[tuple[Any, ...]]:
    async with db.connection() as connection:
        rows = await connection.fetch(
            "SELECT actor, action, subject, tenant_id, before, after FROM audit_log WHERE action ~ 'pause|resume' ORDER BY id"
        )
    return [(*row[:4], row[4] and json.loads(row[4]), json.loads(row[5])) for row in rows]


async def test_an_order_is_kept_and_audited_and_the_next_one_takes_its_place(pauses: PauseStore, db: Database) -> None:
    before = len(await audited(db))
    first = await pauses.order("download", EVERY, "cli:ann", paused=True, reason="the recorder moves house")
    assert await pauses.read() == [first]
    second = await pauses.order("download", EVERY, "operator-token", paused=False, reason="")
    assert await pauses.read() == [second]
    assert second.changed_at > first.changed_at
    assert (await audited(db))[before:] == [
        ("cli:ann", "pause", "stage download", None, None, {"paused": True, "reason": "the recorder moves house"}),
        ("operator-token", "resume", "stage download", None, {"paused": True, "reason": "the recorder moves house", "actor": "cli:ann"},
         {"paused": False, "reason": ""}),
    ]  # fmt: skip


async def test_orders_about_tenants_and_stages_stand_side_by_side(pauses: PauseStore, db: Database) -> None:
    await pauses.order(EVERY, "acme", "cli:ann", paused=True, reason="")
    await pauses.order("score", "acme", "cli:ann", paused=True, reason="")
    await pauses.order("score", EVERY, "cli:ann", paused=True, reason="")
    assert [(each.stage, each.tenant_id) for each in await pauses.read()] == [("*", "acme"), ("score", "*"), ("score", "acme")]
    assert [row[2:4] for row in await audited(db)][-3:] == [
        ("tenant acme", "acme"), ("tenant acme in stage score", "acme"), ("stage score", None),
    ]  # fmt: skip


async def test_every_stage_as_a_whole_cannot_be_paused_and_then_nothing_is_audited(pauses: PauseStore, db: Database) -> None:
    before = await audited(db)
    with pytest.raises(RejectedError):
        await pauses.order(EVERY, EVERY, "cli:ann", paused=True, reason="")
    assert (await pauses.read(), await audited(db)) == ([], before)


async def test_orders_at_the_same_moment_are_all_told_apart(pauses: PauseStore) -> None:
    orders = await asyncio.gather(*(pauses.order("score", EVERY, "cli:ann", paused=number % 2 == 0, reason=str(number)) for number in range(6)))
    assert len({order.changed_at for order in orders}) == 6
    (kept,) = await pauses.read()
    assert kept == max(orders, key=lambda order: order.changed_at)


async def test_what_a_stage_decided_by_itself_is_audited(pauses: PauseStore, db: Database) -> None:
    await pauses.tell_audit("self_pause", "score", "30 dead letters one after the other", "host:8000")
    async with db.connection() as connection:
        row = await connection.fetchrow("SELECT actor, subject, after FROM audit_log WHERE action = 'self_pause' ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert (row["actor"], row["subject"]) == ("self-pause", "stage score")
    assert json.loads(row["after"]) == {"reason": "30 dead letters one after the other", "worker": "host:8000"}


@pytest.mark.usefixtures("pauses")
async def test_the_commands_pause_show_and_resume(migrated: Settings) -> None:
    lines: list[str] = []
    asked: dict[str, Any] = {"stages": STAGES, "reason": "why"}
    assert await pausing.order(migrated, lines.append, paused=True, stage="score", tenant=None, **asked) == 0
    assert await pausing.order(migrated, lines.append, paused=True, stage=None, tenant="acme", **asked) == 0
    assert await pausing.show(migrated, lines.append) == 0
    assert lines[-1] == "pauses: paused=2"
    assert lines[-2].startswith("stage score: paused by cli:")
    assert lines[-2].endswith("(why)")
    assert await pausing.order(migrated, lines.append, paused=False, stage="score", tenant=None, **asked) == 0
    assert await pausing.show(migrated, lines.append) == 0
    assert lines[-1] == "pauses: paused=1"
    assert await pausing.order(migrated, lines.append, paused=True, stage="nothing", tenant=None, **asked) == 2
    assert await pausing.order(migrated, lines.append, paused=True, stage=None, tenant=None, **asked) == 2
