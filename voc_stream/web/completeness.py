"""The completeness ledger for the operator: `GET /completeness` (docs/completeness.md)."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

from aiohttp import hdrs, web

from voc_stream.clients.completeness_store import KEPT, CompletenessStore
from voc_stream.errors import OutsideError
from voc_stream.kit import App, Kit, Page
from voc_stream.settings import Settings
from voc_stream.web.access import operator

# A reader gave up by then.
ANSWER_SECONDS = 10.0
HOURS = 24
MOST_HOURS = KEPT // timedelta(hours=1)
MOST_SHOWN = 1000
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|\*")


def attach(app: App, kit: Kit) -> None:
    """Add the route once Faust has made its web server."""
    app.pages |= pages(CompletenessStore(kit.db), kit.settings)


def pages(store: CompletenessStore, settings: Settings) -> dict[tuple[str, str], Page]:
    """Return the page by method and path.

    Args:
        store: what it shows.
        settings: OPERATOR_TOKEN.
    """

    async def completeness(request: web.Request) -> web.StreamResponse:
        """The equations of the last `hours`, of one `tenant_id` if it is given, with `gaps=only` those that do not add up."""
        hours, tenant_id = _hours(request.query.get("hours", str(HOURS))), _tenant(request.query.get("tenant_id"))
        since = datetime.now(UTC) - timedelta(hours=hours + 1)
        only_gaps = request.query.get("gaps") == "only"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return web.json_response(await store.report(since, tenant_id=tenant_id, only_gaps=only_gaps, limit=MOST_SHOWN))
        except (OutsideError, TimeoutError) as error:
            reason = str(error) or f"no answer within {ANSWER_SECONDS:g} s"
            raise web.HTTPServiceUnavailable(text=f"{reason}\n", headers={hdrs.RETRY_AFTER: "5"}) from None

    return {("GET", "/completeness"): operator(settings, completeness)}


def _hours(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) or not 1 <= int(text) <= MOST_HOURS:
        raise web.HTTPBadRequest(text=f"hours: a whole number from 1 to {MOST_HOURS}\n")
    return int(text)


def _tenant(text: str | None) -> str | None:
    if text is not None and not _TENANT.fullmatch(text):
        raise web.HTTPBadRequest(text="tenant_id: letters, digits and ._- only, beginning with a letter or digit, 64 at most; or *\n")
    return text
