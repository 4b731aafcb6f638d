"""`/desk/letters`: records that could not pass, the same failures together; `/desk/letters/{id}`: one with its original (docs/dead-letters.md)."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.stages.pause_orders import StageName
from voc_stream.web.api import dlq
from voc_stream.web.api.letter_forms import LetterId
from voc_stream.web.desk import AtDesk
from voc_stream.web.pages.letter_choice import Listed
from voc_stream.web.pages.render import render
from voc_stream.web.who import Operator

router = APIRouter(prefix="/desk/letters", include_in_schema=False)

GROUPS = 30
LETTERS = 50
# Of an original so much is shown; the command and the API give all of it.
MOST_SHOWN = 20_000
STAGES = ("poll", *get_args(StageName))


@router.get("")
async def letters(request: Request, caller: Operator, desk: AtDesk, asked: Annotated[Listed, Query()]) -> HTMLResponse:
    """Show failures by what they have in common, and the letters themselves, newest first."""
    store = DeadLetters(desk.db, desk.vault)
    where = asked.where(caller, asked.state)
    rows = await store.find(where, LETTERS, asked.after)
    groups = [] if asked.fingerprint else await store.groups(where, GROUPS)
    return render(
        request,
        "letters.html",
        caller,
        asked=asked,
        groups=groups,
        letters=rows,
        open_letters=await store.count(asked.where(caller, "open")),
        older=rows[-1].id if len(rows) == LETTERS else None,
        stages=STAGES,
    )


@router.get("/{letter_id:int}")
async def letter(request: Request, caller: Operator, desk: AtDesk, letter_id: Annotated[LetterId, Path()]) -> HTMLResponse:
    """Show a letter with its original, once the audit log says who looked at it."""
    shown = await dlq.shown(request, caller, DeadLetters(desk.db, desk.vault), letter_id)
    return render(request, "letter.html", caller, letter=shown, most=MOST_SHOWN)
