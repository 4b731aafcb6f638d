"""`/desk/calls`: the list of calls, filtered and sorted, and what was found in their transcripts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal, TypeAlias

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from voc_stream.services.cursors import CursorError
from voc_stream.services.reading_answers import SearchPage
from voc_stream.services.reading_calls import CallsAsked, Sort
from voc_stream.services.reading_search import SearchAsked
from voc_stream.services.readings import Readings
from voc_stream.stages.changes import Status
from voc_stream.web import texts
from voc_stream.web.api.here import readings_of
from voc_stream.web.pages import words
from voc_stream.web.pages.links import Link, linker
from voc_stream.web.pages.render import chosen_tenant, render
from voc_stream.web.problems import Problem
from voc_stream.web.who import Reader, audit

ROWS = 50
HITS = 20
# Of a calendar that every server understands.
_EARLIEST, _LATEST = date(1990, 1, 1), date(2190, 1, 1)

router = APIRouter(prefix="/desk", include_in_schema=False)

Graded: TypeAlias = Literal["good", "fair", "bad"]
Feels: TypeAlias = Literal["positive", "neutral", "negative"]
# As the bounds of a filter, both inclusive: scores have two decimals, sentiments are doubles.
GRADES: Mapping[Graded, tuple[float | None, float | None]] = {
    "good": (words.GOOD_SCORE, None),
    "fair": (words.FAIR_SCORE, words.GOOD_SCORE - 0.01),
    "bad": (None, words.FAIR_SCORE - 0.01),
}
_JUST_UNDER = words.FEELS - 1e-9
FEELINGS: Mapping[Feels, tuple[float | None, float | None]] = {
    "positive": (words.FEELS, None),
    "neutral": (-_JUST_UNDER, _JUST_UNDER),
    "negative": (None, -words.FEELS),
}


def _nothing(value: object) -> object:
    """A form sends its empty fields, too."""
    return None if isinstance(value, str) and not value.strip() else value


Maybe = BeforeValidator(_nothing)


class Wanted(BaseModel):
    """What the form of the page asks for; empty fields ask for nothing. Unknown fields are other people's business."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, str_strip_whitespace=True)

    q: Annotated[str | None, Field(max_length=200), Maybe] = None
    since: Annotated[date | None, Field(alias="from", ge=_EARLIEST, le=_LATEST), Maybe] = None
    until: Annotated[date | None, Field(alias="to", ge=_EARLIEST, le=_LATEST), Maybe] = None
    agent_id: Annotated[str | None, Field(max_length=16), Maybe] = None
    skill: Annotated[str | None, Field(max_length=64), Maybe] = None
    status: Annotated[Status | None, Maybe] = None
    topic: Annotated[str | None, Field(max_length=64), Maybe] = None
    graded: Annotated[Graded | None, Maybe] = None
    feels: Annotated[Feels | None, Maybe] = None
    sort: Annotated[Sort, BeforeValidator(lambda value: value or "-started_at")] = "-started_at"
    cursor: Annotated[str | None, Field(max_length=1000), Maybe] = None

    @property
    def narrowed(self) -> bool:
        """Whether it asks for less than all calls."""
        return any(getattr(self, name) is not None for name in ("since", "until", "agent_id", "skill", "status", "topic", "graded", "feels"))

    def calls(self, zone: tzinfo) -> CallsAsked:
        """Return what is asked of the list; days begin where the reader is."""
        score, sentiment = GRADES[self.graded] if self.graded else (None, None), FEELINGS[self.feels] if self.feels else (None, None)
        return CallsAsked(
            since=start_of(self.since, zone),
            until=start_of(self.until, zone, days=1),
            agent_id=self.agent_id,
            skill=self.skill,
            status=self.status,
            topic=self.topic,
            score_from=score[0],
            score_to=score[1],
            sentiment_from=sentiment[0],
            sentiment_to=sentiment[1],
            sort=self.sort,
            limit=ROWS,
            cursor=self.cursor,
        )

    def search(self, zone: tzinfo) -> SearchAsked:
        """Return what is looked for in transcripts: words, in a time and of an agent; other filters are the list's."""
        return SearchAsked(
            text=self.q or "",
            since=start_of(self.since, zone),
            until=start_of(self.until, zone, days=1),
            agent_id=self.agent_id,
            limit=HITS,
            cursor=self.cursor,
        )


@router.get("/calls")
async def calls(request: Request, caller: Reader, wanted: Annotated[Wanted, Query()]) -> HTMLResponse:
    """Show a page of calls, or, where words are looked for, a page of transcripts that hold them."""
    tenant = await chosen_tenant(request, caller)
    zone = texts.of(request).zone
    readings = readings_of(request)
    found, page, csv = None, None, None
    try:
        if wanted.q:
            found = await _found(readings, tenant, wanted.search(zone))
        else:
            asked = wanted.calls(zone)
            page = await readings.calls.page(tenant, asked)
            csv = csv_of(linker(tenant if caller.tenant_id is None else None), asked)
    except CursorError as error:
        raise Problem(422, str(error)) from None
    if found is not None:
        # Not the words: they may be a customer's name.
        await audit(request, caller, "transcripts searched", {"calls": [hit.call_id for hit in found.hits]}, tenant=tenant)
    further = found.next if found is not None else page and page.next
    return render(request, "calls.html", caller, wanted=wanted, found=found, page=page, csv=csv, further=further)


async def _found(readings: Readings, tenant: str, asked: SearchAsked) -> SearchPage:
    """Return what was found; nothing, and no words, where there was nothing to look for or a whole letter: the page says so."""
    try:
        return await readings.search.page(tenant, asked)
    except CursorError:
        raise
    except ValueError:
        return SearchPage(words=[], hits=[])


def csv_of(link: Link, asked: CallsAsked) -> str:
    """Return where the list as it is filtered and sorted can be had as CSV."""
    names = ("since", "until", "agent_id", "skill", "status", "topic", "score_from", "score_to", "sentiment_from", "sentiment_to", "sort")
    query = {name: getattr(asked, name) for name in names}
    told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in query.items()}
    return link("/calls", **told, format="csv")


def start_of(day: date | None, zone: tzinfo, *, days: int = 0) -> datetime | None:
    """Return when a day, or the one so many days later, begins in a zone, in UTC."""
    return None if day is None else datetime.combine(day + timedelta(days=days), time(), zone).astimezone(UTC)
