"""The completeness ledger for the operator: `GET /completeness` (docs/completeness.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints

from voc_stream.clients.completeness_store import KEPT, CompletenessStore
from voc_stream.services.reading_answers import Answer
from voc_stream.web.api.forms import Form, Maybe, bounded
from voc_stream.web.desk import AtDesk
from voc_stream.web.who import Operator

HOURS = 24
MOST_HOURS = KEPT // timedelta(hours=1)
MOST_SHOWN = 1000

router = APIRouter(prefix="/completeness", tags=["completeness"])


class CompletenessQuery(Form):
    """Of what."""

    hours: Annotated[int, Field(ge=1, le=MOST_HOURS)] = HOURS
    """The last so many."""
    tenant_id: Maybe[Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63}|\*)$")]] = None
    """One tenant only; *: what is nobody's."""
    gaps: Maybe[Literal["only"]] = None
    """Leave out what adds up."""


class GapShown(Answer):
    """What is missing, by name."""

    subject: str
    what: str
    remedy: str | None
    """What `reconcile --redrive` does about it; null: nothing can be done."""


class EquationShown(Answer):
    """One equation of a tenant and hour."""

    hour: datetime
    tenant_id: str
    hop: str
    meaning: str
    expected: int
    found: dict[str, int]
    gaps: int
    named: list[GapShown]
    checked_at: datetime


class CompletenessShown(Answer):
    """The equations of some hours, newest first."""

    equations: list[EquationShown]
    complete: bool
    """False: there are more than were told."""


async def store_of(desk: AtDesk) -> CompletenessStore:
    """Return the ledger."""
    return CompletenessStore(desk.db)


@router.get("", summary="Show completeness")
async def completeness(
    caller: Operator, store: Annotated[CompletenessStore, Depends(store_of)], asked: Annotated[CompletenessQuery, Query()]
) -> CompletenessShown:
    """What went in equals what came out, hour by hour; an operator of one tenant sees that tenant's."""
    since = datetime.now(UTC) - timedelta(hours=asked.hours + 1)
    tenant_id = bounded(caller, asked.tenant_id)
    return CompletenessShown.model_validate(await store.report(since, tenant_id=tenant_id, only_gaps=asked.gaps == "only", limit=MOST_SHOWN))
