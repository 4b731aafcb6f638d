"""`/desk/calls/{call_id}`: one call to listen to and to judge: recording, transcript, score card, timeline, versions."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from voc_stream.services.reading_answers import CallShown
from voc_stream.web.api.here import readings_of
from voc_stream.web.pages.one_call import lanes, spent
from voc_stream.web.pages.pieces import piece
from voc_stream.web.pages.render import chosen_tenant, render
from voc_stream.web.problems import NotFound, Problem
from voc_stream.web.who import Reader, audit

router = APIRouter(prefix="/desk", include_in_schema=False)


@router.get("/calls/{call_id}")
async def call(request: Request, caller: Reader, call_id: Annotated[str, Path(max_length=32)], *, original: bool = False) -> HTMLResponse:
    """Show a call; with `original`, to those who may see it, what was said without anything replaced."""
    tenant = await chosen_tenant(request, caller)
    if original and not caller.may("original"):
        raise Problem(403, "the scope original is needed")
    readings = readings_of(request)
    shown, timeline = await asyncio.gather(readings.call.read(tenant, call_id, original=original), piece(readings.timeline.of(tenant, call_id)))
    if shown is None:
        raise NotFound
    await audit(request, caller, "call read", {"original": original, "page": True}, subject=f"call {call_id}", tenant=tenant)
    turns = shown.transcript.turns if shown.transcript else []
    seconds = shown.recording.seconds if shown.recording else shown.call.seconds
    return render(
        request,
        "call.html",
        caller,
        shown=shown,
        call=shown.call,
        turns=turns,
        seconds=seconds,
        lanes=lanes(turns, seconds),
        timeline=timeline,
        spent=spent(timeline) if timeline else [],
        others=[segment for segment in shown.segments if segment.call_id != call_id],
        talked=share_of_talk(shown),
    )


def share_of_talk(shown: CallShown) -> float | None:
    """Return the agent's share of what the agent and the customer say, 0 to 1; None where nobody is known to speak."""
    turns = shown.transcript.turns if shown.transcript else []
    talk = {who: sum(turn.end - turn.start for turn in turns if turn.speaker == who) for who in ("agent", "customer")}
    both = sum(talk.values())
    return talk["agent"] / both if both > 0 else None
