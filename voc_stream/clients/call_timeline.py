"""`call_event`: what happened to a call, once for each record and attempt, whatever is delivered again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voc_stream.clients.call_rows import TimelineEntry
from voc_stream.clients.postgres import Connection
from voc_stream.stages.changes import At, Status

# Where the status is not told it is the call's own at the end of the transaction.
_INSERT = """
INSERT INTO call_event (call_id, at, stage, what, status, attempt, topic, partition, "offset", detail, trace_id)
SELECT e.call_id, e.at, e.stage, e.what, coalesce(e.status, call.status), e.attempt, e.topic, e.partition, e."offset", e.detail, e.trace_id
FROM unnest($1::varchar[], $2::timestamptz[], $3::varchar[], $4::varchar[], $5::varchar[], $6::int[],
            $7::varchar[], $8::int[], $9::bigint[], $10::text[], $11::varchar[])
    WITH ORDINALITY AS e (call_id, at, stage, what, status, attempt, topic, partition, "offset", detail, trace_id, place)
LEFT JOIN call USING (call_id)
ORDER BY e.call_id, e.place
ON CONFLICT DO NOTHING
"""

_SELECT = """
SELECT at, stage, what, status, attempt, topic, partition, "offset", detail, trace_id FROM call_event WHERE call_id = $1 ORDER BY at, id
"""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event to write: of which call, in which stage, what, and by which record."""

    call_id: str
    stage: str
    what: str
    at: At
    status: Status | None = None
    detail: str | None = None


async def write_timeline(connection: Connection, happenings: Sequence[Happening]) -> None:
    """Add the events that are not there yet."""
    if not happenings:
        return
    await connection.execute(
        _INSERT,
        [h.call_id for h in happenings],
        [h.at.time for h in happenings],
        [h.stage for h in happenings],
        [h.what for h in happenings],
        [h.status for h in happenings],
        [h.at.attempt for h in happenings],
        [h.at.topic for h in happenings],
        [h.at.partition for h in happenings],
        [h.at.offset for h in happenings],
        [h.detail for h in happenings],
        [h.at.trace_id for h in happenings],
    )


async def read_timeline(connection: Connection, call_id: str) -> list[TimelineEntry]:
    """Return what happened to a call, in order of time."""
    rows = await connection.fetch(_SELECT, call_id)
    return [TimelineEntry(**{**row, "status": Status(row["status"]) if row["status"] else None}) for row in rows]
