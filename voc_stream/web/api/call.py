"""`GET /calls/{call_id}` and its timeline (spec section 4, docs/api.md). Who reads a score card or a transcript is in the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from voc_stream.services.reading_answers import CallShown, Timeline
from voc_stream.web.api.here import AskedTenant, AtReadings, CallId, OfTenant
from voc_stream.web.problems import NotFound, Problem
from voc_stream.web.who import Reader, audit

router = APIRouter(tags=["calls"])


class CallQuestion(OfTenant):
    """How a call is to be shown."""

    original: bool = False
    """With the transcript as it was said, which needs the scope `original`."""


@router.get("/calls/{call_id}", summary="One call")
async def call(request: Request, call_id: CallId, caller: Reader, readings: AtReadings, asked: Annotated[CallQuestion, Query()]) -> CallShown:
    """Return a call: score, breakdown with evidence, transcript, sentiment, versions, and its conversation's segments."""
    tenant = caller.tenant(asked.tenant_id)
    if asked.original and not caller.may("original"):
        raise Problem(403, "the scope original is needed")
    found = await readings.call.read(tenant, call_id, original=asked.original)
    if found is None:
        raise NotFound
    details = {"score_card": found.score_card is not None, "transcript": found.transcript is not None}
    action = "original transcript read" if asked.original else "call read"
    await audit(request, caller, action, details, subject=f"call {call_id}", tenant=tenant)
    return found


@router.get("/calls/{call_id}/timeline", summary="A call's timeline")
async def timeline(call_id: CallId, caller: Reader, readings: AtReadings, asked: AskedTenant) -> Timeline:
    """Return every hop of a call with time, attempt and offset, its delay against its share of the two minutes, and why it was late or failed."""
    found = await readings.timeline.of(caller.tenant(asked.tenant_id), call_id)
    if found is None:
        raise NotFound
    return found
