"""How a reader wants the pages to look: `GET /desk/look` sets the theme and leads back. It changes nothing but a cookie."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from voc_stream.web.pages.links import OVERVIEW, local
from voc_stream.web.pages.render import remember
from voc_stream.web.who import Reader

router = APIRouter(prefix="/desk", include_in_schema=False)


@router.get("/look")
async def look(
    request: Request, _caller: Reader, theme: Literal["light", "dark", "system"], back_to: Annotated[str, Query(alias="next")] = OVERVIEW
) -> RedirectResponse:
    """Remember a theme (system: as the browser says), and lead back to where the reader was."""
    back = RedirectResponse(local(back_to), 303)
    if theme == "system":
        back.delete_cookie("theme", path="/")
    else:
        remember(request, back, "theme", theme)
    return back
