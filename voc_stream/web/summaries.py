"""What a tenant's customers feel, in numbers: `/metrics/summary` and `/tenants/{tenant_id}/summary` (spec section 4)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

from aiohttp import hdrs, web
from pydantic import SecretStr

from voc_stream.errors import OutsideError
from voc_stream.kit import App, Kit, Page
from voc_stream.services.summary import MOST_DAYS, Summary
from voc_stream.web.access import must_know

# A reader gave up by then.
ANSWER_SECONDS = 10.0
DAYS = 7
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Answer = Callable[[str, int, date], Awaitable[Any]]


def attach(app: App, kit: Kit) -> None:
    """Add the routes once Faust has made its web server."""
    app.pages |= pages(Summary(kit.warehouse.query), kit.settings.summary_token)


def pages(summary: Summary, token: SecretStr) -> dict[tuple[str, str], Page]:
    """Return the pages by method and path.

    Args:
        summary: what they show.
        token: who knows it may read them.
    """

    async def rows(tenant_id: str, days: int, today: date) -> dict[str, Any]:
        return {"rows": await summary.rows(tenant_id, days, today)}

    async def metrics_summary(request: web.Request) -> web.Response:
        """Event types with count and mean sentiment."""
        must_know(token, request)
        return await _answered(rows, request.query.get("tenant_id", ""), request)

    async def tenant_summary(request: web.Request) -> web.Response:
        """The same and more, by day, hour, agent and topic, with the time before."""
        must_know(token, request)
        return await _answered(summary.report, request.match_info["tenant_id"], request)

    return {("GET", "/metrics/summary"): metrics_summary, ("GET", "/tenants/{tenant_id}/summary"): tenant_summary}


async def _answered(answer: Answer, tenant_id: str, request: web.Request) -> web.Response:
    if not _TENANT.fullmatch(tenant_id):
        raise web.HTTPBadRequest(text="tenant_id: letters, digits and ._- only, beginning with a letter or digit, 64 at most\n")
    days = _days(request.query.get("days", str(DAYS)))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return web.json_response(await answer(tenant_id, days, datetime.now(UTC).date()))
    except (OutsideError, TimeoutError) as error:
        reason = str(error) or f"no answer within {ANSWER_SECONDS:g} s"
        raise web.HTTPServiceUnavailable(text=f"{reason}\n", headers={hdrs.RETRY_AFTER: "5"}) from None


def _days(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) or not 1 <= int(text) <= MOST_DAYS:
        raise web.HTTPBadRequest(text=f"days: a whole number from 1 to {MOST_DAYS}\n")
    return int(text)
