"""What ClickHouse knows of an hour, for the completeness ledger. Read only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.stages.ranges import Place

Event: TypeAlias = "tuple[str, UUID]"
"""Tenant and event id."""

# Ids in one query.
AT_ONCE = 5000

_EXPORTED = """
SELECT DISTINCT call_id, model_version FROM call_scores
WHERE started_at >= {start:DateTime64(3, 'UTC')} AND started_at < {end:DateTime64(3, 'UTC')}
"""
_COPIES = """
SELECT tenant_id, event_id, count() AS copies FROM voc_events
WHERE tenant_id IN {tenants:Array(String)} AND event_id IN {ids:Array(UUID)}
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts <= {until:DateTime64(3, 'UTC')}
GROUP BY tenant_id, event_id
"""
_HERE = "kafka_incarnation = {incarnation:String} AND kafka_topic = {topic:String} AND kafka_partition = {partition:Int32}"
_SPAN = f"{_HERE} AND kafka_offset >= {{first:Int64}} AND kafka_offset < {{end:Int64}}"
_BY_TENANT = f"SELECT tenant_id, toInt64(uniqExact(kafka_offset)) AS events FROM voc_events WHERE {_SPAN} GROUP BY tenant_id"  # noqa: S608
_TWICE = f"""
SELECT kafka_offset, any(tenant_id) AS tenant_id, toInt64(count()) AS copies FROM voc_events WHERE {_SPAN}
GROUP BY kafka_offset HAVING copies > 1 ORDER BY kafka_offset LIMIT 1000
"""  # noqa: S608
_STORED = f"SELECT kafka_offset FROM voc_events WHERE {_SPAN}"  # noqa: S608
_DELETED = f"SELECT kafka_offset FROM voc_forgotten WHERE {_SPAN}"  # noqa: S608
_FORGOTTEN = f"SELECT toInt64(uniqExact(kafka_offset)) AS events FROM voc_forgotten WHERE {_SPAN} AND kafka_offset NOT IN ({_STORED})"  # noqa: S608
# A border behind the last offset makes the stretch before it one of these, too.
_ABSENT = f"""
SELECT before + 1 AS first, at AS end FROM
(
    SELECT at, lagInFrame(at, 1, {{first:Int64}} - 1) OVER (ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
    FROM (SELECT DISTINCT at FROM (
        SELECT kafka_offset AS at FROM ({_STORED})
        UNION ALL SELECT kafka_offset AS at FROM ({_DELETED})
        UNION ALL SELECT {{end:Int64}} AS at
    ))
)
WHERE at > before + 1 ORDER BY first LIMIT {{most:UInt32}}
"""  # noqa: S608
_BEFORE = f"""
SELECT min(kafka_offset) AS first, toInt64(count()) AS events FROM voc_events
WHERE {_HERE} AND kafka_offset < {{begins:Int64}} AND processed_at >= {{start:DateTime64(3, 'UTC')}} AND processed_at < {{end:DateTime64(3, 'UTC')}}
"""  # noqa: S608


class Twice(NamedTuple):
    """An offset that is stored more than once."""

    offset: int
    tenant_id: str
    copies: int


class CompletenessAsks:
    """Asks. All methods raise `OutsideError`s only.

    Args:
        client: of ClickHouse.
    """

    def __init__(self, client: ClickHouse) -> None:
        self._client = client

    async def exported(self, start: datetime, end: datetime) -> dict[str, frozenset[str]]:
        """Return the model versions in `call_scores` by call, of calls that started from `start` to before `end`."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for row in await self._client.query(_EXPORTED, {"start": start, "end": end}):
            found[row["call_id"]].add(row["model_version"])
        return {call_id: frozenset(versions) for call_id, versions in found.items()}

    async def copies(self, events: Collection[Event], since: datetime, until: datetime) -> dict[Event, int]:
        """Return how often events are stored, those that are.

        Args:
            events: by tenant and id.
            since: their own times lie between this
            until: and this.
        """
        found: dict[Event, int] = {}
        for some in _pieces(sorted(events)):
            tenants, ids = sorted({tenant for tenant, _ in some}), [each for _, each in some]
            rows = await self._client.query(_COPIES, {"tenants": tenants, "ids": ids, "since": since, "until": until})
            found |= {(row["tenant_id"], row["event_id"]): row["copies"] for row in rows}
        return found

    async def by_tenant(self, place: Place, first: int, end: int) -> dict[str, int]:
        """Return how many offsets from `first` to before `end` are stored, by tenant."""
        return {row["tenant_id"]: row["events"] for row in await self._client.query(_BY_TENANT, _span(place, first, end))}

    async def twice(self, place: Place, first: int, end: int) -> list[Twice]:
        """Return the offsets that are stored more than once."""
        rows = await self._client.query(_TWICE, _span(place, first, end))
        return [Twice(row["kafka_offset"], row["tenant_id"], row["copies"]) for row in rows]

    async def forgotten(self, place: Place, first: int, end: int) -> int:
        """Return how many offsets were deleted on purpose."""
        (row,) = await self._client.query(_FORGOTTEN, _span(place, first, end))
        events: int = row["events"]
        return events

    async def absent(self, place: Place, first: int, end: int, most: int) -> list[tuple[int, int]]:
        """Return stretches of offsets, `(first, end)`, that are neither stored nor were deleted on purpose; the first `most` of them."""
        rows = await self._client.query(_ABSENT, _span(place, first, end) | {"most": most})
        return [(row["first"], row["end"]) for row in rows]

    async def stored_before(self, place: Place, begins: int, start: datetime, end: datetime) -> tuple[int, int] | None:
        """Return the first offset before `begins` that was stored in these times, and how many were; None where none was."""
        where = _place(place) | {"begins": begins, "start": start, "end": end}
        (row,) = await self._client.query(_BEFORE, where)
        return (row["first"], row["events"]) if row["events"] else None


def _place(place: Place) -> dict[str, object]:
    return {"incarnation": place.incarnation, "topic": place.topic, "partition": place.partition}


def _span(place: Place, first: int, end: int) -> dict[str, object]:
    return _place(place) | {"first": first, "end": end}


def _pieces(events: Sequence[Event]) -> Iterable[Collection[Event]]:
    return (events[at : at + AT_ONCE] for at in range(0, len(events), AT_ONCE))
