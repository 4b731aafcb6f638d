"""`GET /calls`: a tenant's calls, filtered and in order, page by page or as a table (spec section 4, docs/api.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from voc_stream.services.cursors import CursorError
from voc_stream.services.reading_answers import CallRow, CallsPage
from voc_stream.services.reading_calls import MOST, CallsAsked, Sort
from voc_stream.stages.changes import Status
from voc_stream.web.api.here import OR_CSV, AgentId, AtReadings, Cursor, Form, Moment, OfTenant, PlainText
from voc_stream.web.csv_rows import csv_answer
from voc_stream.web.problems import NotFound
from voc_stream.web.who import Reader, audit

COLUMNS = tuple(CallRow.model_fields)

router = APIRouter(tags=["calls"])


class CallsQuestion(OfTenant):
    """Which calls; what is given must all be so."""

    since: Moment | None = None
    """Started then or later."""
    until: Moment | None = None
    """Started before."""
    agent_id: AgentId | None = None
    skill: PlainText | None = None
    status: Status | None = None
    topic: PlainText | None = None
    score_from: Annotated[float, Field(ge=0, le=100)] | None = None
    score_to: Annotated[float, Field(ge=0, le=100)] | None = None
    sentiment_from: Annotated[float, Field(ge=-1, le=1)] | None = None
    sentiment_to: Annotated[float, Field(ge=-1, le=1)] | None = None
    sort: Sort = "-started_at"
    """Newest or oldest first, best or worst first; by score, only calls that have one."""
    limit: Annotated[int, Field(ge=1, le=MOST)] = 50
    """Calls of a page."""
    cursor: Cursor | None = None
    """`next` of the page before, with the same filters and order."""
    format: Form = "json"

    def asked(self, limit: int) -> CallsAsked:
        """Return it for the reading."""
        given = self.model_dump(exclude={"tenant_id", "format", "limit"})
        return CallsAsked(**given, limit=limit)


@router.get("/calls", summary="List calls", response_model=CallsPage, responses=OR_CSV)
async def calls(request: Request, caller: Reader, readings: AtReadings, asked: Annotated[CallsQuestion, Query()]) -> CallsPage | Response:
    """Return a page of calls; with `format=csv` all of them from the cursor on as a table, 50,000 at most."""
    tenant = caller.tenant(asked.tenant_id)
    try:
        if asked.format == "json":
            return await readings.calls.page(tenant, asked.asked(asked.limit))
        pages = await begun(readings.calls.export(tenant, asked.asked(limit=50_000)))
    except CursorError as error:
        raise NotFound(str(error)) from None
    await audit(request, caller, "calls exported", asked.model_dump(mode="json", exclude_none=True), subject="calls", tenant=tenant)
    return csv_answer(COLUMNS, pages, "calls")


async def begun(pages: AsyncIterator[Sequence[CallRow]]) -> AsyncIterator[Sequence[CallRow]]:
    """Return the same pages, of which the first is there: what is wrong with them shows before an answer has begun."""
    first = await anext(pages, None)

    async def all_pages() -> AsyncIterator[Sequence[CallRow]]:
        if first is not None:
            yield first
            async for page in pages:
                yield page

    return all_pages()
