"""Dead letters for the operator: list, groups, one with its original, discard (`/dlq`, docs/dead-letters.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field

from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.services.reading_answers import Answer
from voc_stream.web.api.forms import WHOLE, bounded
from voc_stream.web.api.letter_forms import (
    MOST,
    PAGE,
    GroupShown,
    GroupsShown,
    LetterId,
    LetterListed,
    LetterOrder,
    LetterQuery,
    LettersPage,
    LetterWhole,
    whole,
)
from voc_stream.web.desk import AtDesk
from voc_stream.web.problems import NotFound
from voc_stream.web.who import Operator, audit

router = APIRouter(prefix="/dlq", tags=["dead letters"])


class Discard(LetterOrder):
    """Which open letters to mark as discarded."""

    limit: Annotated[int, Field(ge=1, le=MOST), WHOLE] = PAGE


class Discarded(Answer):
    """How many there were."""

    discarded: int


async def letters_of(desk: AtDesk) -> DeadLetters:
    """Return the stored letters."""
    return DeadLetters(desk.db, desk.vault)


Letters = Annotated[DeadLetters, Depends(letters_of)]


@router.get("", summary="List dead letters")
async def found(caller: Operator, letters: Letters, asked: Annotated[LetterQuery, Query()]) -> LettersPage:
    """Letters without their originals, newest first; an operator of one tenant sees that tenant's."""
    where = asked.where(bounded(caller, asked.tenant_id), asked.id, asked.state)
    rows = await letters.find(where, asked.limit, asked.after)
    return LettersPage(letters=[LetterListed.model_validate(row) for row in rows], next=rows[-1].id if len(rows) == asked.limit else None)


@router.get("/groups", summary="Group dead letters")
async def groups(caller: Operator, letters: Letters, asked: Annotated[LetterQuery, Query()]) -> GroupsShown:
    """The same failures together."""
    where = asked.where(bounded(caller, asked.tenant_id), asked.id, asked.state)
    return GroupsShown(groups=[GroupShown.model_validate(group) for group in await letters.groups(where, asked.limit)])


@router.get("/{letter_id:int}", summary="Show a dead letter")
async def shown(request: Request, caller: Operator, letters: Letters, letter_id: Annotated[LetterId, Path()]) -> LetterWhole:
    """One letter with its original; the audit log says who saw it."""
    letter = await letters.get(letter_id)
    if letter is None or caller.tenant_id not in {None, letter.tenant_id}:
        raise NotFound("no such letter")
    await audit(request, caller, "dead letter shown", {"state": letter.state}, subject=f"dead letter {letter_id}", tenant=letter.tenant_id)
    return whole(letter)


@router.post("/discard", summary="Discard dead letters")
async def discard(caller: Operator, letters: Letters, asked: Discard) -> Discarded:
    """Mark open letters as discarded, oldest first, each with its row in the audit log."""
    return Discarded(discarded=await letters.discard(asked.of_open(bounded(caller, asked.tenant_id)), asked.limit, caller.actor))
