"""Closed by default: without a credential nothing gets past this but what is open by name, and no body is read (docs/access.md)."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.datastructures import URL
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from voc_stream.security.grants import Refusal, RefusedError
from voc_stream.web.credentials import Credentials
from voc_stream.web.rates import Rates
from voc_stream.web.who import address_of, refused, remember

# These, and what is below them.
OPEN = ("/healthz", "/readyz", "/login", "/static")


class Admission:
    """Lets nobody pass whom `Credentials` does not know, counts wrong credentials by address and requests by tenant.

    Args:
        app: what is behind.
        credentials: tells who is asking.
        rates: counts.
        open_paths: open to all, with what is below them.
    """

    def __init__(self, app: ASGIApp, credentials: Credentials, rates: Rates, open_paths: tuple[str, ...] = OPEN) -> None:
        self._app = app
        self._credentials = credentials
        self._rates = rates
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request.

        Raises:
            Problem: 401, or 429.
            OutsideError: PostgreSQL or the identity provider does not tell.
        """
        if scope["type"] != "http" or self._is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            caller = remember(connection, await self._credentials.of(connection))
        except RefusedError as error:
            if _is_navigation(connection):
                await _to_login(scope)(scope, receive, send)
                return
            if error.reason is not Refusal.NONE:
                await self._rates.wrong_credential(address_of(connection) or "")
            raise refused(error.reason) from None
        await self._rates.of_tenant(caller.tenant_id)
        await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return any(path == each or path.startswith(f"{each}/") for each in self._open)


def _is_navigation(connection: HTTPConnection) -> bool:
    """Whether a person's browser asks for a page; programs, also a page's own scripts, get the problem."""
    headers = connection.headers
    wants_page = "text/html" in headers.get("accept", "") and headers.get("sec-fetch-mode", "navigate") == "navigate"
    return connection.scope["method"] in {"GET", "HEAD"} and wants_page and "authorization" not in headers


def _to_login(scope: Scope) -> RedirectResponse:
    here = URL(scope=scope)
    wanted = f"{here.path}?{here.query}" if here.query else here.path
    return RedirectResponse("/login" if wanted == "/" else f"/login?{urlencode({'next': wanted})}", status_code=303)
