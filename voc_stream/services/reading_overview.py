"""A tenant's calls in numbers: by day, by topic, and against the time before (spec section 4). Sums only: a mean is made of a sum and a count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

import asyncpg

from voc_stream.clients.postgres import Database
from voc_stream.services.kept import Kept
from voc_stream.services.reading_sums import DayTotals, Overview, Topics, TopicShown, Totals
from voc_stream.stages.days import Days
from voc_stream.stages.two_minutes import BUDGET_SECONDS

MOST_TOPICS = 200

_SUMS = f"""
count(*) AS calls,
count(score) AS scored,
count(*) FILTER (WHERE status = 'NOT_SCORABLE') AS not_scorable,
count(*) FILTER (WHERE status IN ('ERROR', 'MISSING')) AS failed,
coalesce(sum(score), 0) AS score_sum,
count(sentiment) AS felt,
coalesce(sum(sentiment), 0) AS sentiment_sum,
count(*) FILTER (WHERE topic = 'complaint') AS complaints,
count(scored_delay) AS judged,
count(*) FILTER (WHERE scored_delay <= {BUDGET_SECONDS}) AS on_time
"""
_OF_TIME = "FROM call WHERE tenant_id = $1 AND started_at >= $2 AND started_at < $3"
# $4: when each day begins, the first one at $2.
_DAYS = f"SELECT width_bucket(started_at, $4::timestamptz[]) - 1 AS number, {_SUMS} {_OF_TIME} GROUP BY number"
_TOPICS = f"SELECT topic, started_at >= $4 AS is_now, {_SUMS} {_OF_TIME} GROUP BY topic, is_now"


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums that merge."""

    calls: int = 0
    scored: int = 0
    not_scorable: int = 0
    failed: int = 0
    score_sum: float = 0.0
    felt: int = 0
    sentiment_sum: float = 0.0
    complaints: int = 0
    judged: int = 0
    on_time: int = 0

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    @classmethod
    def total(cls, parts: Iterable[_Sums]) -> Self:
        them = list(parts)
        return cls(**{field.name: sum(getattr(part, field.name) for part in them) for field in fields(cls)})

    @property
    def mean(self) -> float | None:
        return round(self.score_sum / self.scored, 2) if self.scored else None

    @property
    def sentiment(self) -> float | None:
        return round(self.sentiment_sum / self.felt, 4) if self.felt else None

    def shown(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "scored": self.scored,
            "not_scorable": self.not_scorable,
            "failed": self.failed,
            "scored_share": _share(self.scored, self.calls),
            "mean": self.mean,
            "sentiment": self.sentiment,
            "complaints": self.complaints,
            "on_time": self.on_time,
            "on_time_share": _share(self.on_time, self.judged),
        }


class OverviewReading:
    """Sums calls up. Its methods raise `OutsideError`s.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._overviews: Kept[Overview] = Kept()
        self._topics: Kept[Topics] = Kept()

    async def of(self, tenant_id: str, time: Days) -> Overview:
        """Return a tenant's calls in numbers; of many calls they may be some seconds old (see `Kept`).

        Args:
            tenant_id: whose.
            time: the days, which are compared with as many before.
        """
        return await self._overviews.of((tenant_id, time), lambda: self._overview(tenant_id, time))

    async def topics(self, tenant_id: str, time: Days) -> Topics:
        """Return what a tenant's calls were about, `MOST_TOPICS` topics; see `of`."""
        return await self._topics.of((tenant_id, time), lambda: self._topics_of(tenant_id, time))

    async def _overview(self, tenant_id: str, time: Days) -> Overview:
        async with self._db.connection() as connection:
            rows = await connection.fetch(_DAYS, tenant_id, time.before, time.until, time.begins(time.count))
        days = time.each(time.count)
        sums = {days[row["number"]]: _Sums.of(row) for row in rows}
        now = {day: sums.get(day, _Sums()) for day in time.each()}
        before = [each for day, each in sums.items() if day < time.first]
        return Overview(
            days=time.count,
            first=time.first,
            last=time.last,
            now=Totals(**_Sums.total(now.values()).shown()),
            before=Totals(**_Sums.total(before).shown()),
            by_day=[DayTotals(day=day, **each.shown()) for day, each in now.items()],
        )

    async def _topics_of(self, tenant_id: str, time: Days) -> Topics:
        async with self._db.connection() as connection:
            rows = await connection.fetch(_TOPICS, tenant_id, time.before, time.until, time.since)
        now = {row["topic"]: _Sums.of(row) for row in rows if row["is_now"]}
        before = {row["topic"]: _Sums.of(row) for row in rows if not row["is_now"]}
        calls = sum(each.calls for each in now.values())
        topics = [_topic(topic, now.get(topic, _Sums()), before.get(topic, _Sums()), calls) for topic in now.keys() | before.keys()]
        ordered = sorted(topics, key=lambda shown: (-shown.calls, shown.topic is None, shown.topic or ""))
        return Topics(days=time.count, first=time.first, last=time.last, calls=calls, topics=ordered[:MOST_TOPICS])


def _topic(topic: str | None, now: _Sums, before: _Sums, calls: int) -> TopicShown:
    return TopicShown(
        topic=topic,
        calls=now.calls,
        share=_share(now.calls, calls) or 0.0,
        mean=now.mean,
        sentiment=now.sentiment,
        before_calls=before.calls,
        change=round(now.calls / before.calls - 1, 4) if before.calls else None,
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
