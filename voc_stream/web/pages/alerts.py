"""`/desk/alerts`: what is out of bounds now, and what was (docs/page.md, docs/alerts.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from voc_stream.web.api.here import readings_of
from voc_stream.web.pages.render import render
from voc_stream.web.pages.tenant_choice import chosen_tenant
from voc_stream.web.who import Reader

router = APIRouter(prefix="/desk", include_in_schema=False)

MOST_OPEN = 100
PAST = 25


@router.get("/alerts")
async def alerts(request: Request, caller: Reader, cursor: Annotated[str | None, Query(max_length=500)] = None) -> HTMLResponse:
    """Show open alerts, and past ones by pages."""
    tenant = await chosen_tenant(request, caller)
    readings = readings_of(request)
    raised = await readings.alerts.page(tenant, state="raised", limit=MOST_OPEN)
    past = await readings.alerts.page(tenant, state="cleared", limit=PAST, cursor=cursor)
    return render(request, "alerts.html", caller, raised=raised.alerts, past=past, now=datetime.now(UTC))
