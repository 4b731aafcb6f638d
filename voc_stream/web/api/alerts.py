"""`GET /alerts`: a tenant's alerts, the newest first (spec section 4, docs/alerts.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from voc_stream.services.cursors import CursorError
from voc_stream.services.reading_alerts import MOST, State
from voc_stream.services.reading_answers import AlertShown, AlertsPage
from voc_stream.web.api.here import OR_CSV, AtReadings, Cursor, Form, OfTenant, one_page
from voc_stream.web.csv_rows import csv_answer
from voc_stream.web.problems import NotFound
from voc_stream.web.who import Reader, audit

router = APIRouter(tags=["alerts"])


class AlertsQuestion(OfTenant):
    """Which alerts."""

    state: State | None = None
    """Those that are raised, or that were cleared."""
    limit: Annotated[int, Field(ge=1, le=MOST)] = 50
    """Alerts of a page."""
    cursor: Cursor | None = None
    """`next` of the page before, with the same `state`."""
    format: Form = "json"


@router.get("/alerts", summary="List alerts", response_model=AlertsPage, responses=OR_CSV)
async def alerts(request: Request, caller: Reader, readings: AtReadings, asked: Annotated[AlertsQuestion, Query()]) -> AlertsPage | Response:
    """Return a page of alerts, with `format=csv` as a table."""
    tenant = caller.tenant(asked.tenant_id)
    try:
        found = await readings.alerts.page(tenant, state=asked.state, limit=asked.limit, cursor=asked.cursor)
    except CursorError as error:
        raise NotFound(str(error)) from None
    if asked.format == "json":
        return found
    await audit(request, caller, "alerts exported", {"state": asked.state}, subject="alerts", tenant=tenant)
    return csv_answer(tuple(AlertShown.model_fields), one_page(found.alerts), "alerts")
