"""What each question of the people's side costs on seeded databases, and by which plan PostgreSQL answers it.

    python -m benchmarks.reading_plans [--explain] [--tenant acme]

asks POSTGRES_DSN (see benchmarks/seed_calls.py), each question some times and each list a few pages deep; prints mean and 95th percentile in ms.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from voc_stream.clients.postgres import Database
from voc_stream.clients.reader import reader
from voc_stream.services.reading_agents import AgentsReading
from voc_stream.services.reading_calls import CallsAsked, CallsReading, page_statement
from voc_stream.services.reading_overview import OverviewReading
from voc_stream.settings import load_settings
from voc_stream.stages.changes import Status
from voc_stream.stages.days import Days

ROUNDS = 12
LONGEST_SECONDS = 5.0

NOW = datetime.now(UTC)
LISTS = {
    "newest": CallsAsked(),
    "oldest": CallsAsked(sort="started_at"),
    "best": CallsAsked(sort="-score"),
    "worst": CallsAsked(sort="score"),
    "an agent of many calls": CallsAsked(agent_id="agent1000"),
    "the worst of an agent of many calls": CallsAsked(agent_id="agent1000", sort="score"),
    "an agent of few calls": CallsAsked(agent_id="agent1299"),
    "the worst of an agent of few calls": CallsAsked(agent_id="agent1299", sort="score"),
    "errors": CallsAsked(status=Status.ERROR),
    "scored": CallsAsked(status=Status.SCORED),
    "a status that none has": CallsAsked(status=Status.PENDING_DOWNLOAD),
    "a topic": CallsAsked(topic="complaint"),
    "the worst of a topic": CallsAsked(topic="complaint", sort="score"),
    "a topic that none has": CallsAsked(topic="nothing"),
    "a skill": CallsAsked(skill="billing"),
    "a skill that none has": CallsAsked(skill="nothing"),
    "unhappy": CallsAsked(sentiment_to=-0.05),
    "very unhappy": CallsAsked(sentiment_to=-0.97),
    "unhappier than any": CallsAsked(sentiment_to=-0.99999),
    "scores from 90": CallsAsked(score_from=90),
    "scores that none has": CallsAsked(score_from=99.999),
    "the worst of a day": CallsAsked(since=NOW - timedelta(days=1), sort="score"),
    "the worst of a week": CallsAsked(since=NOW - timedelta(days=7), sort="score"),
    "a month long ago": CallsAsked(since=NOW - timedelta(days=60), until=NOW - timedelta(days=30)),
    "bad, unhappy complaints": CallsAsked(topic="complaint", sentiment_to=-0.5, score_to=40),
    "what none is, in four ways": CallsAsked(topic="complaint", sentiment_to=-0.9, score_to=25, skill="sales"),
    "an agent's topic in a week": CallsAsked(agent_id="agent1000", topic="billing", since=NOW - timedelta(days=7)),
}


async def _timed(ask: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await ask()
    return (time.perf_counter() - began) * 1000


def _say(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    print(f"{name:38} mean {statistics.mean(ordered):7.1f}   p95 {ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]:7.1f}")


async def _lists(db: Database, tenant: str, *, explain: bool) -> None:
    calls, everything = CallsReading(db), []
    for name, asked in LISTS.items():
        times, page = [], asked
        for _round in range(ROUNDS):
            times.append(await _timed(lambda page=page: calls.page(tenant, page)))  # type: ignore[misc]
            following = (await calls.page(tenant, page)).next
            page = replace(asked, cursor=following)
        _say(name, times)
        everything += times
        if explain:
            await _explain(db, tenant, asked)
    _say("all lists", everything)


async def _explain(db: Database, tenant: str, asked: CallsAsked) -> None:
    statement, values = page_statement(tenant, asked, asked.limit + 1)
    async with db.connection() as connection:
        for row in await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", *values):
            print(f"    {row[0]}")


async def _sums(db: Database, tenant: str) -> None:
    today = NOW.date()
    for days in (1, 7, 30):
        # Made anew each time: what is kept costs nothing.
        _say(f"agents of {days} days", [await _timed(lambda: AgentsReading(db).ranking(tenant, Days(days, today))) for _ in range(5)])  # noqa: B023
        _say(f"overview of {days} days", [await _timed(lambda: OverviewReading(db).of(tenant, Days(days, today))) for _ in range(5)])  # noqa: B023
        _say(f"topics of {days} days", [await _timed(lambda: OverviewReading(db).topics(tenant, Days(days, today))) for _ in range(5)])  # noqa: B023


async def _measure(tenant: str, *, explain: bool) -> None:
    db = reader(load_settings(), seconds=LONGEST_SECONDS)
    try:
        await _lists(db, tenant, explain=explain)
        await _sums(db, tenant)
    finally:
        await db.close()


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--explain", action="store_true", help="also print each list's plan")
    parser.add_argument("--tenant", default="acme")
    given = parser.parse_args()
    asyncio.run(_measure(given.tenant, explain=given.explain))


if __name__ == "__main__":
    main()
