"""The operator's pauses in PostgreSQL: an order and its row in the audit log are written in one transaction (docs/pausing.md)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from voc_stream.clients.audit_log import write_audit
from voc_stream.clients.postgres import Database
from voc_stream.stages.pause_orders import EVERY, PauseOrder

_COLUMNS = "stage, tenant_id, paused, reason, actor, changed_at"
_READ = f"SELECT {_COLUMNS} FROM pause ORDER BY stage, tenant_id"  # noqa: S608 - names of our own

_BEFORE = "SELECT paused, reason, actor FROM pause WHERE stage = $1 AND tenant_id = $2 FOR UPDATE"
# `changed_at` tells workers that something was ordered: it must differ from the order before, also within one tick of the clock.
_WRITE = f"""
INSERT INTO pause ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, clock_timestamp())
ON CONFLICT (stage, tenant_id) DO UPDATE SET paused = excluded.paused, reason = excluded.reason, actor = excluded.actor,
    changed_at = greatest(excluded.changed_at, pause.changed_at + interval '1 microsecond')
RETURNING changed_at
"""  # noqa: S608
_AUDIT = """
INSERT INTO audit_log (actor, action, subject, tenant_id, before, after) VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::text::jsonb)
"""
# Self-pauses are no person's doing.
ITSELF = "self-pause"


class PauseStore:
    """Keeps orders. Its methods raise `OutsideError`s (see `voc_stream.clients.postgres`).

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def read(self) -> list[PauseOrder]:
        """Return the newest order about each stage and tenant, those to go on included."""
        async with self._db.connection() as connection:
            return [PauseOrder(**row) for row in await connection.fetch(_READ)]

    async def order(self, stage: str, tenant_id: str, actor: str, *, paused: bool, reason: str) -> PauseOrder:
        """Write an order; the same one again is a new order too.

        Args:
            stage: its name, or EVERY.
            tenant_id: whose records, or EVERY: the stage as a whole.
            actor: for the audit log.
            paused: whether to stand still.
            reason: the operator's own words; no personal data.

        Raises:
            RejectedError: it is about every stage as a whole, or a text is too long.
        """
        async with self._db.transaction() as connection:
            before = await connection.fetchrow(_BEFORE, stage, tenant_id)
            changed_at: datetime = await connection.fetchval(_WRITE, stage, tenant_id, paused, reason, actor)
            order = PauseOrder(stage=stage, tenant_id=tenant_id, paused=paused, reason=reason, actor=actor, changed_at=changed_at)
            was = None if before is None else _json(dict(before))
            whose = None if tenant_id == EVERY else tenant_id
            action = "pause" if paused else "resume"
            await connection.execute(_AUDIT, actor, action, order.subject, whose, was, _json({"paused": paused, "reason": reason}))
        return order

    async def tell_audit(self, action: str, stage: str, reason: str, worker: str) -> None:
        """Write into the audit log what a stage decided by itself.

        Args:
            action: a word.
            stage: its name.
            reason: why; no personal data.
            worker: which one it is of.
        """
        await write_audit(self._db, ITSELF, action, f"stage {stage}", tenant=None, after={"reason": reason, "worker": worker})


def _json(value: dict[str, object]) -> str:
    return msgspec.json.encode(value).decode()
