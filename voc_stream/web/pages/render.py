"""Pages from templates: HTML in the reader's language, theme and tenant (docs/adr/0027-pages.md).

Every text that is put into a page is escaped. A page carries no script or style of its own: the Content-Security-Policy would stop it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from babel.dates import get_timezone_name
from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from voc_stream.web import texts
from voc_stream.web.pages import links, navigation, words
from voc_stream.web.pages.assets import asset
from voc_stream.web.pages.tenant_choice import chosen_tenant
from voc_stream.web.who import Caller, csrf_token

__all__ = ["chosen_tenant", "environment", "remember", "render"]

THEMES = ("light", "dark")
# What a reader chose is remembered for so long.
REMEMBERED_SECONDS = 365 * 86_400


def render(
    request: Request, template: str, caller: Caller | None, *, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """Return a page.

    Args:
        request: who asks tells the language, time zone and theme by cookies; `chosen_tenant` has left the tenant in its state.
        template: a file of voc_stream/web/templates.
        caller: None: nobody is known, and there is nowhere to go.
        status: of the response.
        headers: of the response.
        context: what the template shows, beside what every page has: texts, caller, tenant_id, tenants, theme, nav, path, csrf, link, with_.
    """
    tenant_id = getattr(request.state, "tenant_id", None)
    everywhere = caller is not None and caller.tenant_id is None
    said = texts.of(request)
    theme = request.cookies.get("theme", "")
    shown = {
        "texts": said,
        "caller": caller,
        "tenant_id": tenant_id,
        "tenants": getattr(request.state, "tenants", ()),
        "theme": theme if theme in THEMES else "",
        "nav": navigation.ways_of(caller),
        "path": request.url.path,
        "zone": _zone_name(said),
        "here": links.address(request.url.path, request.query_params),
        "csrf": csrf_token(request),
        "link": links.linker(tenant_id if everywhere else None),
        "with_": links.changer(request.url.path, request.query_params),
    }
    page = HTMLResponse(environment().get_template(template).render(shown | context), status, headers)
    if everywhere and tenant_id and request.query_params.get("tenant_id") == tenant_id:
        remember(request, page, "tenant", tenant_id)
    return page


def remember(request: Request, response: Response, name: str, value: str) -> None:
    """Have the browser send a choice with later requests. Scripts cannot read it, other sites cannot have it sent."""
    response.set_cookie(name, value, max_age=REMEMBERED_SECONDS, path="/", httponly=True, samesite="lax", secure=request.url.scheme == "https")


def _zone_name(said: texts.Texts) -> str:
    """Return what a reader calls their time: that of a country or region, or UTC."""
    key = str(said.zone)
    return key if key == "UTC" or key.startswith("Etc/") else get_timezone_name(said.zone, locale=said.locale)


@cache
def environment() -> Environment:
    """Return the templates; made once, and each template is read once."""
    made = Environment(
        loader=PackageLoader("voc_stream.web"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    texts.install(made)
    made.globals |= {"words": words, "asset": asset}
    return made
