"""`/desk/topics`: what calls are about, how that changes, and examples (docs/page.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from voc_stream.services.reading_calls import CallsAsked
from voc_stream.web import texts
from voc_stream.web.api.here import readings_of, up_to_now
from voc_stream.web.pages.agents import Days
from voc_stream.web.pages.render import render
from voc_stream.web.pages.tenant_choice import chosen_tenant
from voc_stream.web.who import Reader

router = APIRouter(prefix="/desk", include_in_schema=False)

DAYS = 7
EXAMPLES = 8


@router.get("/topics")
async def topics(request: Request, caller: Reader, days: Days = DAYS, topic: Annotated[str | None, Query(max_length=64)] = None) -> HTMLResponse:
    """Show the shares, and examples of one topic: the one that is asked for, else the most frequent."""
    tenant = await chosen_tenant(request, caller)
    readings = readings_of(request)
    shown = await readings.overview.topics(tenant, up_to_now(days, texts.of(request).zone))
    chosen = topic or next((each.topic for each in shown.topics if each.topic), None)
    examples = (await readings.calls.page(tenant, CallsAsked(topic=chosen, limit=EXAMPLES))).calls if chosen else []
    return render(request, "topics.html", caller, shown=shown, days=days, chosen=chosen, examples=examples)
