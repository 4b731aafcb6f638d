"""`/`: what a quality manager opens in the morning. Four questions, asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from babel.dates import format_skeleton
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from voc_stream.services.reading_calls import CallsAsked
from voc_stream.services.reading_sums import DayTotals, Overview, Totals
from voc_stream.stages.days import MOST_DAYS
from voc_stream.web import texts
from voc_stream.web.api.here import readings_of, up_to_now
from voc_stream.web.pages.chart import bars, spark
from voc_stream.web.pages.pieces import piece
from voc_stream.web.pages.render import chosen_tenant, render
from voc_stream.web.texts import N_, Texts
from voc_stream.web.who import Reader

# A trend of less says nothing: a shorter period shows that of a week.
TREND_DAYS = 7
WORST = 6
ALERTS = 5
WORST_WITHIN = timedelta(hours=24)

router = APIRouter(include_in_schema=False)

Kind = Literal["count", "rate", "points", "sentiment"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is followed: by its name in the answers, with its name for people.

    Attributes:
        name: of the attribute of `Totals`.
        title: a sentence for the catalogues.
        kind: what its numbers are.
        good: which direction pleases; empty: neither.
        icon: of icons.svg.
        query: of the calls behind it.
    """

    name: str
    title: str
    kind: Kind
    good: Literal["up", "down", ""]
    icon: str
    query: tuple[tuple[str, str], ...] = ()


# What the height of a trend stands for at least: a change of less is no news.
_LEAST: Mapping[Kind, float] = {"count": 0.0, "rate": 0.05, "points": 5.0, "sentiment": 0.2}

FIGURES = (
    Figure("calls", N_("Calls"), "count", "", "calls"),
    Figure("scored_share", N_("Scored"), "rate", "up", "check", (("status", "SCORED"),)),
    Figure("mean", N_("Mean score"), "points", "up", "overview", (("sort", "score"),)),
    Figure("sentiment", N_("Customer sentiment"), "sentiment", "up", "good", (("feels", "negative"),)),
    Figure("complaints", N_("Complaints"), "count", "down", "bad", (("topic", "complaint"),)),
    Figure("on_time_share", N_("Scored within two minutes"), "rate", "up", "clock"),
)


@dataclass(frozen=True, slots=True)
class Trended:
    """A figure with its value, that of the time before, a small chart of its trend, and the query of the calls behind it."""

    figure: Figure
    query: dict[str, str]
    now: float | None
    before: float | None
    trend: Markup


@router.get("/")
async def overview(request: Request, caller: Reader, days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = TREND_DAYS) -> HTMLResponse:
    """Show a tenant's last days, the calls that an ear should be lent to, and open alerts."""
    tenant = await chosen_tenant(request, caller)
    readings = readings_of(request)
    now, said = datetime.now(UTC), texts.of(request)
    shown, week, worst, alerts = await asyncio.gather(
        piece(readings.overview.of(tenant, up_to_now(days, said.zone))),
        piece(readings.overview.of(tenant, up_to_now(TREND_DAYS, said.zone))) if days < TREND_DAYS else asyncio.sleep(0),
        piece(readings.calls.page(tenant, CallsAsked(since=now - WORST_WITHIN, sort="score", limit=WORST))),
        piece(readings.alerts.page(tenant, state="raised", limit=ALERTS)),
    )
    by_day = (week or shown).by_day if shown else []
    return render(
        request,
        "overview.html",
        caller,
        days=days,
        shown=shown,
        figures=trends(shown, by_day) if shown else (),
        by_day=by_day,
        volume=volume(by_day, said),
        worst=worst,
        since=now - WORST_WITHIN,
        alerts=alerts,
        previous=(shown.first - timedelta(days=days), shown.first - timedelta(days=1)) if shown else None,
    )


def trends(shown: Overview, by_day: Sequence[DayTotals]) -> list[Trended]:
    """Return the figures of a time; behind each trend lies the daily mean of the time before."""
    return [
        Trended(
            figure,
            {"from": shown.first.isoformat(), **dict(figure.query)},
            _of(shown.now, figure),
            _of(shown.before, figure),
            spark(_daily(by_day, figure), _level(shown, figure, len(by_day)), least=_LEAST[figure.kind], from_zero=figure.kind == "count"),
        )
        for figure in FIGURES
    ]


def volume(by_day: Sequence[DayTotals], said: Texts) -> Markup:
    """Return the chart of calls by day: scored, and not."""
    scored = [day.scored for day in by_day]
    rest = [day.calls - day.scored for day in by_day]
    series = {said.gettext(N_("Scored")): scored, said.gettext(N_("Not scored")): rest}
    return bars([short(day.day, said) for day in by_day], series, {name: [said.number(value) for value in values] for name, values in series.items()})


def short(day: date, said: Texts) -> str:
    """Return a day as the label of a chart."""
    return format_skeleton("Md", day, locale=said.locale)


def _of(totals: Totals, figure: Figure) -> float | None:
    value: float | None = getattr(totals, figure.name)
    return value


def _daily(by_day: Sequence[DayTotals], figure: Figure) -> list[float | None]:
    return [_of(day, figure) for day in by_day]


def _level(shown: Overview, figure: Figure, steps: int) -> list[float | None]:
    """Return the time before as a level line: of counts a day's share."""
    before = _of(shown.before, figure)
    if before is None or not shown.before.calls:
        return []
    return [before / shown.days if figure.kind == "count" else before] * steps
