"""A tenant's numbers over the last days, from the sums of customer events alone (spec section 4, docs/voc-storage.md).

Days are UTC's; the last one is today. A mean is made here, of a sum and a count, and never of means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, Self, TypeAlias

Query: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[list[dict[str, Any]]]]
Row: TypeAlias = tuple[str, int, float | None]

MOST_DAYS = 3650
MOST_KEYS = 50
# As the types of events are told of in the documentation; others, of a later version, follow.
_TYPES = ("call", "agent_action", "tool_invocation", "qos_metric")

_SUMS = """sum(events) AS events, sum(scored) AS scored, sum(sentiment_sum) AS sentiment_sum,
    sum(positive) AS positive, sum(negative) AS negative, sum(complaints) AS complaints"""
_BY_TYPE = f"""
SELECT event_type, {_SUMS} FROM voc_sums WHERE tenant_id = {{tenant:String}} AND by = 'day' AND at >= {{first:Date}}
GROUP BY event_type HAVING events > 0
"""  # noqa: S608 - names of our own
# One question, because to ask costs more than to sum. `moment` is the day since 1970, or the hour of the day; agents and topics have none.
_REPORT = f"""
SELECT
    by,
    multiIf(by = 'day', toUInt32(toDate(at)), by = 'hour', toUInt32(toHour(at)), 0) AS moment,
    key,
    if(by = 'day', event_type, '') AS event_type,
    {_SUMS}
FROM voc_sums
WHERE tenant_id = {{tenant:String}} AND (by IN ('hour', 'agent', 'topic') AND at >= {{first:Date}} OR by = 'day' AND at >= {{before:Date}})
GROUP BY by, moment, key, event_type
HAVING events > 0
ORDER BY by, moment, events DESC, key
LIMIT {MOST_KEYS} BY by, moment
"""  # noqa: S608
_EPOCH = date(1970, 1, 1)


class Sums(NamedTuple):
    """Sums that merge.

    Attributes:
        events: how many.
        scored: those with a sentiment.
        sentiment_sum: over those.
        positive: sentiment from 0.05.
        negative: sentiment to -0.05.
        complaints: whose topic is complaint.
    """

    events: int = 0
    scored: int = 0
    sentiment_sum: Decimal = Decimal(0)
    positive: int = 0
    negative: int = 0
    complaints: int = 0

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Take the sums out of a row."""
        return cls(*map(row.__getitem__, cls._fields))

    @classmethod
    def total(cls, parts: Iterable[Sums]) -> Self:
        """Merge."""
        columns: Iterable[Any] = zip(*parts, strict=True)
        return cls(*[sum(column) for column in columns])

    @property
    def mean(self) -> float | None:
        """The mean sentiment, -1 to 1; None where nothing is scored."""
        return round(float(self.sentiment_sum) / self.scored, 4) if self.scored else None

    def shown(self) -> dict[str, Any]:
        """Return what a reader is told."""
        return {
            "events": self.events,
            "sentiment": self.mean,
            "scored": self.scored,
            "positive": self.positive,
            "neutral": self.scored - self.positive - self.negative,
            "negative": self.negative,
            "complaints": self.complaints,
        }


class Summary:
    """Answers from the sums. Methods raise `OutsideError`s.

    Args:
        query: of the warehouse.
    """

    def __init__(self, query: Query) -> None:
        self._query = query

    async def rows(self, tenant_id: str, days: int, today: date) -> list[Row]:
        """Return a tenant's event types, each with its count and its mean sentiment (None: nothing to feel).

        Args:
            tenant_id: whose.
            days: how many, today included.
            today: in UTC.
        """
        found = await self._query(_BY_TYPE, {"tenant": tenant_id, "first": _first(today, days)})
        types = {row["event_type"]: Sums.of(row) for row in found}
        return [(name, types[name].events, types[name].mean) for name in sorted(types, key=_place)]

    async def report(self, tenant_id: str, days: int, today: date) -> dict[str, Any]:
        """Return a tenant's numbers by type, day, hour of the day, agent and topic, and how they were in as many days before.

        Args:
            tenant_id: whose.
            days: how many, today included.
            today: in UTC.
        """
        first = _first(today, days)
        found = await self._query(_REPORT, {"tenant": tenant_id, "first": first, "before": _first(today, 2 * days)})
        by = {name: [row for row in found if row["by"] == name] for name in ("day", "hour", "agent", "topic")}
        of_days = [{**row, "day": _EPOCH + timedelta(days=row["moment"])} for row in by["day"]]
        now = [row for row in of_days if row["day"] >= first]
        before = [row for row in of_days if row["day"] < first]
        return {
            "tenant_id": tenant_id,
            "days": days,
            "from": first.isoformat(),
            "to": today.isoformat(),
            "total": _total(now).shown(),
            "trend": _trend(_total(now), _total(before)),
            "by_type": _merged("event_type", now, _place),
            "by_day": _merged("day", now, str),
            "by_hour": [{"hour": row["moment"], **Sums.of(row).shown()} for row in by["hour"]],
            "by_agent": [{"agent_id": row["key"], **Sums.of(row).shown()} for row in by["agent"] if row["key"]],
            "by_topic": [{"topic": row["key"], **Sums.of(row).shown()} for row in by["topic"] if row["key"]],
        }


def _first(today: date, days: int) -> date:
    return today - timedelta(days=days - 1)


def _place(event_type: str) -> tuple[int, str]:
    return (_TYPES.index(event_type) if event_type in _TYPES else len(_TYPES), event_type)


def _total(rows: Sequence[Mapping[str, Any]]) -> Sums:
    return Sums.total(Sums.of(row) for row in rows)


def _trend(now: Sums, before: Sums) -> dict[str, Any]:
    """Return the time before, and the changes: of counts as a share of it, of the sentiment as a difference; None where there is no telling."""
    known = now.mean is not None and before.mean is not None
    return {
        "before": before.shown(),
        "events": _change(now.events, before.events),
        "complaints": _change(now.complaints, before.complaints),
        "sentiment": round((now.mean or 0.0) - (before.mean or 0.0), 4) if known else None,
    }


def _change(now: int, before: int) -> float | None:
    return round(now / before - 1, 4) if before else None


def _merged(name: str, rows: Sequence[Mapping[str, Any]], order: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """Merge the rows that say the same of `name`."""
    parts: dict[Any, list[Sums]] = {}
    for row in rows:
        parts.setdefault(row[name], []).append(Sums.of(row))
    return [{name: str(value), **Sums.total(parts[value]).shown()} for value in sorted(parts, key=order)]
