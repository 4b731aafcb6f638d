"""Who may see and do what: until there are users, whoever knows SUMMARY_TOKEN reads, and whoever knows OPERATOR_TOKEN operates (spec section 4)."""

from __future__ import annotations

import hmac

from aiohttp import hdrs, web
from pydantic import SecretStr

from voc_stream.kit import Page
from voc_stream.settings import Settings

# Who the audit log names for what was done by HTTP.
OPERATOR = "operator-token"


def operator(settings: Settings, handler: Page) -> Page:
    """Return the page for those only who send OPERATOR_TOKEN as a bearer's; others get 401, as everybody does while it is empty.

    Args:
        settings: OPERATOR_TOKEN.
        handler: the page. The audit log's actor of what it does is `OPERATOR`.
    """

    async def page(request: web.Request) -> web.StreamResponse:
        must_know(settings.operator_token, request, setting="OPERATOR_TOKEN")
        return await handler(request)

    return page


def must_know(token: SecretStr, request: web.Request, *, setting: str = "SUMMARY_TOKEN") -> None:
    """Let only those pass who send the token as a bearer's.

    Args:
        token: an empty one lets nobody pass.
        request: its Authorization is compared in constant time.
        setting: the token's name, for who finds the page closed.

    Raises:
        web.HTTPUnauthorized: otherwise.
    """
    known = token.get_secret_value()
    given = request.headers.get(hdrs.AUTHORIZATION, "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, f"Bearer {known}".encode()) or not known:
        reason = "a bearer token is needed, and this is not it" if known else f"closed: {setting} is not set"
        raise web.HTTPUnauthorized(text=f"{reason}\n", headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
