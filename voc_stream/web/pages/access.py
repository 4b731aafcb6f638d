"""`/desk/access`: tokens: who has one, for what and until when; new ones, and an end to old ones (docs/access.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from voc_stream.clients.token_store import TokenStore
from voc_stream.security.grants import SCOPES
from voc_stream.security.tokens import KEY, new_token
from voc_stream.web.desk import AtDesk, Desk
from voc_stream.web.pages.render import render
from voc_stream.web.problems import NotFound
from voc_stream.web.who import Admin, Caller, address_of

router = APIRouter(prefix="/desk", include_in_schema=False)

MOST_DAYS = 366


class Wish(BaseModel):
    """The form of a new token; without `whose` it is for all tenants."""

    model_config = ConfigDict(extra="ignore")

    label: Annotated[str, Field(min_length=1, max_length=64)]
    scopes: Annotated[list[Literal["read", "original", "operate", "admin"]], Field(min_length=1, max_length=len(SCOPES))]
    whose: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")] = ""
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 90


@router.get("/access")
async def access(request: Request, caller: Admin, desk: AtDesk) -> HTMLResponse:
    """Show the tokens and the form."""
    return await _page(request, caller, desk)


@router.post("/access")
async def create(request: Request, caller: Admin, desk: AtDesk, wish: Annotated[Wish, Form()]) -> HTMLResponse:
    """Make a token and show it, this once; who is of one tenant makes tokens for that tenant only."""
    if caller.tenant_id is not None and wish.whose not in {"", caller.tenant_id}:
        raise NotFound
    token = new_token()
    await TokenStore(desk.db).add(
        token,
        tenant_id=caller.tenant_id or wish.whose or None,
        scopes=wish.scopes,
        expires_at=datetime.now(UTC) + timedelta(days=wish.days),
        label=wish.label,
        actor=caller.actor,
    )
    return await _page(request, caller, desk, made=token.text)


@router.post("/access/{key}/revoke")
async def revoke(request: Request, caller: Admin, desk: AtDesk, key: Annotated[str, Path(pattern=KEY.pattern)]) -> RedirectResponse:
    """End a token, and the sessions that it opened."""
    if not await TokenStore(desk.db).revoke(key, caller.actor, tenant_id=caller.tenant_id, address=address_of(request)):
        raise NotFound
    return RedirectResponse("/desk/access", 303)


async def _page(request: Request, caller: Caller, desk: Desk, made: str | None = None) -> HTMLResponse:
    tokens = await TokenStore(desk.db).list(caller.tenant_id)
    known = sorted(desk.tenants.current().known) if caller.tenant_id is None else [caller.tenant_id]
    return render(request, "access.html", caller, tokens=tokens, scopes=SCOPES, known=known, now=datetime.now(UTC), made=made, most_days=MOST_DAYS)
