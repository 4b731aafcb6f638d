"""The list of calls: filtered, in order of time or score, page by page (docs/adr/0025-reading.md).

A page costs one walk along an index that holds all that is filtered by, from where the page before ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

import asyncpg

from voc_stream.clients.postgres import Database
from voc_stream.services.cursors import cursor_of, place_of
from voc_stream.services.reading_answers import CallRow, CallsPage
from voc_stream.stages.changes import Status

Sort: TypeAlias = Literal["-started_at", "started_at", "-score", "score"]

MOST = 200
MOST_EXPORTED = 50_000
_EXPORT_PAGE = 1000

# The page is found in the index alone; only its rows are fetched.
_PAGE = """
SELECT call.id, call_id, started_at, ended_at, extract(epoch FROM ended_at - started_at)::double precision AS seconds,
       call.agent_id, agent.full_name AS agent_name, skill, service, status, status_reason AS reason, score, sentiment, composite, topic
FROM (SELECT id FROM call WHERE {where} ORDER BY {order} LIMIT {limit}) AS page
JOIN call USING (id)
LEFT JOIN agent ON agent.agent_id = call.agent_id
ORDER BY {outer}
"""
_ORDERS: dict[Sort, str] = {
    "-started_at": "{0}started_at DESC, {0}id DESC",
    "started_at": "{0}started_at, {0}id",
    "-score": "{0}score DESC, {0}id DESC",
    "score": "{0}score, {0}id",
}
# By name of the filter: what a call must be.
_CONDITIONS = {
    "since": "started_at >= {}",
    "until": "started_at < {}",
    "agent_id": "agent_id = {}",
    "skill": "skill = {}",
    "status": "status = {}",
    "topic": "topic = {}",
    "score_from": "score >= {}",
    "score_to": "score <= {}",
    "sentiment_from": "sentiment >= {}",
    "sentiment_to": "sentiment <= {}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsAsked:
    """Which calls, and in which order.

    Attributes:
        since: started then or later.
        until: started before.
        agent_id: whose.
        skill: of which.
        status: where it is.
        topic: what about.
        score_from: at least.
        score_to: at most.
        sentiment_from: at least.
        sentiment_to: at most.
        sort: newest or oldest first, best or worst first; by score, only calls with one.
        limit: rows of a page.
        cursor: of the page before.
    """

    since: datetime | None = None
    until: datetime | None = None
    agent_id: str | None = None
    skill: str | None = None
    status: Status | None = None
    topic: str | None = None
    score_from: float | None = None
    score_to: float | None = None
    sentiment_from: float | None = None
    sentiment_to: float | None = None
    sort: Sort = "-started_at"
    limit: int = 50
    cursor: str | None = None


class CallsReading:
    """Lists calls. Its methods raise `OutsideError`s.

    Args:
        db: the pool.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, tenant_id: str, asked: CallsAsked) -> CallsPage:
        """Return a page of a tenant's calls.

        Args:
            tenant_id: whose.
            asked: which; `limit` is `MOST` at most.

        Raises:
            CursorError: `cursor` is of another list.
        """
        limit = min(asked.limit, MOST)
        rows = await self._rows(tenant_id, asked, limit + 1)
        shown = rows[:limit]
        more = len(rows) > limit
        return CallsPage(calls=[call_row(row) for row in shown], next=cursor_of(_place(shown[-1], asked.sort), _question(asked)) if more else None)

    async def export(self, tenant_id: str, asked: CallsAsked) -> AsyncIterator[list[CallRow]]:
        """Yield what the list shows from its cursor on, `MOST_EXPORTED` calls at most, some at a time.

        Args:
            tenant_id: whose.
            asked: which; `limit` is of all together.
        """
        left = min(asked.limit, MOST_EXPORTED)
        while left > 0:
            rows = await self._rows(tenant_id, asked, min(left, _EXPORT_PAGE))
            if not rows:
                return
            yield [call_row(row) for row in rows]
            left -= len(rows)
            asked = replace(asked, cursor=cursor_of(_place(rows[-1], asked.sort), _question(asked)))

    async def _rows(self, tenant_id: str, asked: CallsAsked, limit: int) -> list[asyncpg.Record]:
        statement, values = page_statement(tenant_id, asked, limit)
        async with self._db.connection() as connection:
            return await connection.fetch(statement, *values)


def page_statement(tenant_id: str, asked: CallsAsked, limit: int) -> tuple[str, list[Any]]:
    """Return the statement of a page and its values.

    Raises:
        CursorError: `cursor` is of another list.
    """
    values: list[Any] = [tenant_id]
    conditions = ["tenant_id = $1"]
    for name, condition in _CONDITIONS.items():
        if (value := getattr(asked, name)) is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))
    by = asked.sort.lstrip("-")
    if by == "score":
        conditions.append("score IS NOT NULL")
    if asked.cursor is not None:
        values += _place_in(asked.cursor, asked)
        conditions.append(f"({by}, id) {'<' if asked.sort.startswith('-') else '>'} (${len(values) - 1}, ${len(values)})")
    order = _ORDERS[asked.sort]
    statement = _PAGE.format(where=" AND ".join(conditions), order=order.format(""), limit=int(limit), outer=order.format("call."))
    return statement, values


def call_row(row: asyncpg.Record) -> CallRow:
    """Return a row of a list."""
    return CallRow.model_validate(dict(row))


def _question(asked: CallsAsked) -> CallsAsked:
    return replace(asked, limit=0, cursor=None)


def _place(row: asyncpg.Record, sort: Sort) -> tuple[datetime | float, int]:
    return (row[sort.lstrip("-")], row["id"])


def _place_in(cursor: str, asked: CallsAsked) -> tuple[datetime | float, int]:
    if asked.sort.endswith("score"):
        return place_of(cursor, _question(asked), tuple[float, int])
    return place_of(cursor, _question(asked), tuple[datetime, int])
