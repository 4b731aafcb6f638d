"""Which language a reader wants: `GET /desk/reader` sets it and leads back. It changes nothing but a cookie; the time zone's is set by page.js."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from voc_stream.web.pages.links import OVERVIEW, local
from voc_stream.web.pages.render import remember
from voc_stream.web.who import Reader

router = APIRouter(prefix="/desk", include_in_schema=False)


@router.get("/reader")
async def reader(
    request: Request, _caller: Reader, locale: Literal["en", "vi"], back_to: Annotated[str, Query(alias="next")] = OVERVIEW
) -> RedirectResponse:
    """Remember a language, and lead back to where the reader was."""
    back = RedirectResponse(local(back_to), 303)
    remember(request, back, "locale", locale)
    return back
