"""What happened to a call, hop by hop, against the two minutes (spec sections 2 and 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from voc_stream.clients.call_rows import TimelineEntry
from voc_stream.clients.call_timeline import read_timeline
from voc_stream.clients.postgres import Database
from voc_stream.services.reading_answers import Hop, Timeline
from voc_stream.stages.two_minutes import BUDGET_SECONDS, Judged, judge

_CALL = "SELECT call_id, started_at, ended_at, status, status_reason AS reason, scored_delay FROM call WHERE tenant_id = $1 AND call_id = $2"


class TimelineReading:
    """Tells timelines. Its methods raise `OutsideError`s.

    Args:
        db: the pool.
        now: the time.
    """

    def __init__(self, db: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._db = db
        self._now = now

    async def of(self, tenant_id: str, call_id: str) -> Timeline | None:
        """Return the timeline of a tenant's call; None if the tenant has no such call."""
        async with self._db.transaction() as connection:
            call = await connection.fetchrow(_CALL, tenant_id, call_id)
            if call is None:
                return None
            entries = await read_timeline(connection, call_id)
        known = {name: call[name] for name in ("call_id", "started_at", "ended_at", "status", "reason")}
        scored_after = call["scored_delay"]
        overdue = (self._now() - call["ended_at"]).total_seconds() > BUDGET_SECONDS
        return Timeline(
            **known,
            hops=[_hop(entry, judged) for entry, judged in zip(entries, judge(entries, call["ended_at"]), strict=True)],
            scored_after=scored_after,
            budget=BUDGET_SECONDS,
            on_time=scored_after <= BUDGET_SECONDS if scored_after is not None else (False if overdue else None),
        )


def _hop(entry: TimelineEntry, judged: Judged) -> Hop:
    recorded = entry.topic != ""
    return Hop(
        at=entry.at,
        stage=entry.stage,
        what=entry.what,
        attempt=entry.attempt,
        topic=entry.topic if recorded else None,
        partition=entry.partition if recorded else None,
        offset=entry.offset if recorded else None,
        trace_id=entry.trace_id,
        **asdict(judged),
    )
