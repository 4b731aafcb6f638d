"""`/desk/letters/act`: what to do about open letters: try without sending, send back, discard; each by a form (docs/dead-letters.md).

What is done is what the API does for the same order, with its bounds of time and number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.web.api import dlq, requeues
from voc_stream.web.api.letter_forms import MOST
from voc_stream.web.desk import AtDesk, Desk
from voc_stream.web.pages.letter_choice import Choice
from voc_stream.web.pages.render import render
from voc_stream.web.problems import Problem
from voc_stream.web.who import Caller, Operator

router = APIRouter(prefix="/desk/letters", include_in_schema=False)


class Decided(Choice):
    """The form of what changes something: `sure` is its ticked box."""

    sure: Literal["yes"]


@router.get("/act")
async def act(request: Request, caller: Operator, desk: AtDesk, asked: Annotated[Choice, Query()]) -> Response:
    """Show what can be done about the open letters that are asked for."""
    if not asked.chooses:
        return RedirectResponse("/desk/letters", 303)
    return await _page(request, caller, desk, asked)


@router.post("/try")
async def try_(request: Request, caller: Operator, desk: AtDesk, asked: Annotated[Choice, Form()]) -> HTMLResponse:
    """Tell how they would fare; nothing is sent."""
    tried = await requeues.dry_run(caller, requeues.tools_of(desk), requeues.Try(**_order(caller, asked)))
    return await _page(request, caller, desk, asked, tried=tried)


@router.post("/send")
async def send(request: Request, caller: Operator, desk: AtDesk, asked: Annotated[Decided, Form()]) -> HTMLResponse:
    """Send them back to their topics."""
    order = requeues.Requeue(**_order(caller, asked), limit=requeues.MOST_SENT)
    return await _page(request, caller, desk, asked, sent=await requeues.requeue(caller, requeues.tools_of(desk), order))


@router.post("/discard")
async def discard(request: Request, caller: Operator, desk: AtDesk, asked: Annotated[Decided, Form()]) -> HTMLResponse:
    """Mark them as discarded."""
    done = await dlq.discard(caller, DeadLetters(desk.db, desk.vault), dlq.Discard(**_order(caller, asked), limit=MOST))
    return await _page(request, caller, desk, asked, discarded=done.discarded)


def _order(caller: Caller, asked: Choice) -> Mapping[str, Any]:
    """Return what the API is asked for.

    Raises:
        Problem: 422, nothing is chosen.
        NotFound: another tenant's letters are.
    """
    if not asked.chooses:
        raise Problem(422, "say which letters")
    where = asked.where(caller)
    named = {"fingerprint": where.fingerprint, "topic": where.topic, "stage": where.stage, "tenant_id": where.tenant_id, "ids": list(where.ids)}
    return {name: value for name, value in named.items() if value}


async def _page(request: Request, caller: Caller, desk: Desk, asked: Choice, **done: BaseModel | int) -> HTMLResponse:
    """Show what is still open, and what was done."""
    told: dict[str, Any] = {"tried": None, "sent": None, "discarded": None, "most_sent": requeues.MOST_SENT, "most_discarded": MOST} | done
    told["open_letters"] = await DeadLetters(desk.db, desk.vault).count(asked.where(caller, "open"))
    return render(request, "letter_act.html", caller, asked=asked, **told)
