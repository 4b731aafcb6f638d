"""What a tenant's customers feel, in numbers: `/metrics/summary` and `/tenants/{tenant_id}/summary` (spec section 4)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from voc_stream.services.kept import Kept
from voc_stream.services.reading_answers import Answer
from voc_stream.services.summary import MOST_DAYS, Summary
from voc_stream.web.api.forms import Form, Maybe, TenantId
from voc_stream.web.desk import AtDesk
from voc_stream.web.who import Reader

DAYS = 7
_NAME = "summaries"
# As often as a page that is live asks. Events themselves come by windows of two seconds.
FRESH_SECONDS = 5.0
STALE_SECONDS = 5.0
Days = Annotated[int, Field(ge=1, le=MOST_DAYS, description="The last so many days (UTC), today included.")]

router = APIRouter(tags=["summary"])


class Span(Form):
    """Of how many days."""

    days: Days = DAYS


class TenantSpan(Span):
    """Of whom, and of how many days."""

    tenant_id: Maybe[TenantId] = None
    """Needed by callers of all tenants."""


class SummaryRows(Answer):
    """Event types."""

    rows: list[Annotated[list[str | int | float | None], Field(min_length=3, max_length=3)]]
    """Each with its count and its mean sentiment, -1 to 1; null: there is nothing to feel."""


class Feeling(Answer):
    """Sums over some events."""

    events: int
    sentiment: float | None
    """The mean over those that have one, -1 to 1."""
    scored: int
    positive: int
    neutral: int
    negative: int
    complaints: int


class TypeFeeling(Feeling):
    """Of an event type."""

    event_type: str


class DayFeeling(Feeling):
    """Of a day."""

    day: date


class HourFeeling(Feeling):
    """Of an hour of the day, all days together."""

    hour: int


class AgentFeeling(Feeling):
    """Of an agent."""

    agent_id: str


class TopicFeeling(Feeling):
    """Of a topic."""

    topic: str


class Trend(Answer):
    """Against as many days before."""

    before: Feeling
    events: float | None
    """The change as a share of the time before; null: there was nothing."""
    complaints: float | None
    sentiment: float | None
    """The difference."""


class Report(Answer):
    """A tenant's numbers."""

    tenant_id: str
    days: int
    first: date = Field(alias="from")
    to: date
    total: Feeling
    trend: Trend
    by_type: list[TypeFeeling]
    by_day: list[DayFeeling]
    by_hour: list[HourFeeling]
    by_agent: list[AgentFeeling]
    by_topic: list[TopicFeeling]


async def summary_of(desk: AtDesk) -> Summary:
    """Return what answers."""
    return Summary(desk.warehouse.query)


async def kept_of(desk: AtDesk) -> Kept[Any]:
    """Return the answers that were given lately: many who watch the same numbers are one question."""
    kept: Kept[Any] = desk.parts.setdefault(_NAME, Kept(least_seconds=FRESH_SECONDS, stale_seconds=STALE_SECONDS))
    return kept


Sums = Annotated[Summary, Depends(summary_of)]
Lately: TypeAlias = Annotated[Kept[Any], Depends(kept_of)]


@router.get("/metrics/summary", summary="Sum up by event type")
async def metrics_summary(caller: Reader, summary: Sums, lately: Lately, asked: Annotated[TenantSpan, Query()]) -> SummaryRows:
    """Event types with count and mean sentiment."""
    question = (caller.tenant(asked.tenant_id), asked.days, _today())
    return SummaryRows(rows=[list(row) for row in await lately.of(("rows", *question), lambda: summary.rows(*question))])


@router.get("/tenants/{tenant_id}/summary", summary="Sum up a tenant")
async def tenant_summary(
    caller: Reader, summary: Sums, lately: Lately, tenant_id: Annotated[TenantId, Path()], asked: Annotated[Span, Query()]
) -> Report:
    """The same and more, by day, hour, agent and topic, with the time before."""
    question = (caller.tenant(tenant_id), asked.days, _today())
    return Report.model_validate(await lately.of(("report", *question), lambda: summary.report(*question)))


def _today() -> date:
    return datetime.now(UTC).date()
