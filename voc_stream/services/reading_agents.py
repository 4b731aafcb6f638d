"""A tenant's agents, ranked by what is known of them (docs/adr/0025-reading.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import asyncpg

from voc_stream.clients.postgres import Connection, Database
from voc_stream.services.kept import Kept
from voc_stream.services.reading_sums import AgentDay, AgentReport, Agents, AgentShown
from voc_stream.stages.days import Days
from voc_stream.stages.ranking import NO_SCORES, Field, Scores, ranks

MOST = 1000

_AGENTS = """
SELECT agent_id, started_at >= $3 AS is_now, count(*) AS calls, count(score) AS scored, avg(score) AS mean, coalesce(var_samp(score), 0) AS variance,
       avg(sentiment) AS sentiment, count(*) FILTER (WHERE topic = 'complaint') AS complaints
FROM call
WHERE tenant_id = $1 AND started_at >= $2 AND started_at < $4
GROUP BY agent_id, is_now
"""
_NAMES = "SELECT agent_id, full_name FROM agent WHERE agent_id = ANY($1::varchar[])"
_DAYS = """
SELECT width_bucket(started_at, $5::timestamptz[]) - 1 AS number,
       count(*) AS calls, count(score) AS scored, avg(score) AS mean, avg(sentiment) AS sentiment
FROM call
WHERE tenant_id = $1 AND agent_id = $2 AND started_at >= $3 AND started_at < $4
GROUP BY number
"""


@dataclass(frozen=True, slots=True)
class _Counted:
    """An agent's calls of a time."""

    calls: int = 0
    scores: Scores = NO_SCORES
    sentiment: float | None = None
    complaints: int = 0

    @classmethod
    def of(cls, row: asyncpg.Record) -> _Counted:
        scores = Scores(row["scored"], row["mean"] or 0.0, row["variance"])
        return cls(row["calls"], scores, row["sentiment"], row["complaints"])


@dataclass(frozen=True, slots=True)
class _Ranking:
    mean: float | None
    agents: list[AgentShown]


class AgentsReading:
    """Ranks agents. Its methods raise `OutsideError`s.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._rankings: Kept[_Ranking] = Kept()

    async def ranking(self, tenant_id: str, time: Days) -> Agents:
        """Return a tenant's agents that had calls in these days: the best estimate first, those without a score last, `MOST` of them.

        Of many calls the numbers may be some seconds old (see `Kept`).

        Args:
            tenant_id: whose.
            time: the days, which are compared with as many before.
        """
        ranking = await self._ranking(tenant_id, time)
        shown = ranking.agents[:MOST]
        async with self._db.connection() as connection:
            names = await _names(connection, [agent.agent_id for agent in shown])
        agents = [agent.model_copy(update={"agent_name": names.get(agent.agent_id)}) for agent in shown]
        return Agents(days=time.count, first=time.first, last=time.last, mean=_rounded(ranking.mean), agents=agents)

    async def one(self, tenant_id: str, agent_id: str, time: Days) -> AgentReport | None:
        """Return an agent among the others and by day; None if no call of the tenant in this time or the time before was this agent's.

        Args:
            tenant_id: whose.
            agent_id: which.
            time: the days.
        """
        ranking = await self._ranking(tenant_id, time)
        agent = next((agent for agent in ranking.agents if agent.agent_id == agent_id), None)
        if agent is None:
            return None
        async with self._db.connection() as connection:
            names = await _names(connection, [agent_id])
            rows = await connection.fetch(_DAYS, tenant_id, agent_id, time.since, time.until, time.begins())
        found = {row["number"]: row for row in rows}
        return AgentReport(
            days=time.count,
            first=time.first,
            last=time.last,
            mean=_rounded(ranking.mean),
            among=sum(agent.rank is not None for agent in ranking.agents),
            agent=agent.model_copy(update={"agent_name": names.get(agent_id)}),
            by_day=[_day(day, found.get(number)) for number, day in enumerate(time.each())],
        )

    async def _ranking(self, tenant_id: str, time: Days) -> _Ranking:
        return await self._rankings.of((tenant_id, time), lambda: self._counted(tenant_id, time))

    async def _counted(self, tenant_id: str, time: Days) -> _Ranking:
        async with self._db.connection() as connection:
            rows = await connection.fetch(_AGENTS, tenant_id, time.before, time.since, time.until)
        now = {row["agent_id"]: _Counted.of(row) for row in rows if row["is_now"] and row["agent_id"]}
        before = {row["agent_id"]: _Counted.of(row) for row in rows if not row["is_now"] and row["agent_id"]}
        return _ranked(now, before)


def _ranked(now: Mapping[str, _Counted], before: Mapping[str, _Counted]) -> _Ranking:
    field = Field.of([counted.scores for counted in now.values()])
    shown = {agent: _shown(agent, field, now.get(agent, _Counted()), before.get(agent, _Counted())) for agent in now.keys() | before.keys()}
    places = ranks({agent: one.estimate for agent, one in shown.items() if one.estimate is not None})
    agents = [one.model_copy(update={"rank": places.get(agent)}) for agent, one in shown.items()]
    return _Ranking(field.mean, sorted(agents, key=lambda one: (one.rank is None, one.rank or 0, one.agent_id)))


def _shown(agent_id: str, field: Field, now: _Counted, before: _Counted) -> AgentShown:
    standing = field.standing(now.scores)
    known: dict[str, Any] = asdict(standing) if standing else {}
    certain = known.pop("certain", False)
    names = ("low", "high", "estimate", "estimate_low", "estimate_high")
    both = now.scores.count and before.scores.count
    return AgentShown(
        rank=None,
        agent_id=agent_id,
        calls=now.calls,
        scored=now.scores.count,
        mean=_rounded(now.scores.mean) if now.scores.count else None,
        **{name: _rounded(known.get(name)) for name in names},
        certain=certain,
        sentiment=_rounded(now.sentiment, 4),
        complaints=now.complaints,
        before_scored=before.scores.count,
        before_mean=_rounded(before.scores.mean) if before.scores.count else None,
        change=_rounded(now.scores.mean - before.scores.mean) if both else None,
        change_certain=field.is_change(now.scores, before.scores),
    )


def _day(day: date, row: asyncpg.Record | None) -> AgentDay:
    if row is None:
        return AgentDay(day=day, calls=0, scored=0, mean=None, sentiment=None)
    return AgentDay(day=day, calls=row["calls"], scored=row["scored"], mean=_rounded(row["mean"]), sentiment=_rounded(row["sentiment"], 4))


async def _names(connection: Connection, agent_ids: Iterable[str]) -> dict[str, str]:
    rows = await connection.fetch(_NAMES, list(agent_ids))
    return {row["agent_id"]: row["full_name"] for row in rows if row["full_name"]}


def _rounded(value: float | None, decimals: int = 2) -> float | None:
    return None if value is None else round(value, decimals)
