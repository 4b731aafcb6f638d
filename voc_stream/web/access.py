"""Who may read: until there are users, whoever knows SUMMARY_TOKEN (spec section 4)."""

from __future__ import annotations

import hmac

from aiohttp import hdrs, web
from pydantic import SecretStr


def must_know(token: SecretStr, request: web.Request) -> None:
    """Let only those pass who send the token as a bearer's.

    Args:
        token: an empty one lets nobody pass.
        request: its Authorization is compared in constant time.

    Raises:
        web.HTTPUnauthorized: otherwise.
    """
    known = token.get_secret_value()
    given = request.headers.get(hdrs.AUTHORIZATION, "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, f"Bearer {known}".encode()) or not known:
        reason = "a bearer token is needed, and this is not it" if known else "closed: SUMMARY_TOKEN is not set"
        raise web.HTTPUnauthorized(text=f"{reason}\n", headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
