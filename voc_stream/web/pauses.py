"""Pauses for the operator: what stands still in this worker, and an order to stand still or to go on (`/pauses`, docs/pausing.md)."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web

from voc_stream.clients.pause_store import PauseStore
from voc_stream.kit import App, Kit, Page
from voc_stream.runtime.pauses import Pauses
from voc_stream.settings import Settings
from voc_stream.stages.pause_orders import EVERY, PauseOrder
from voc_stream.web.access import OPERATOR, operator
from voc_stream.web.dlq import answered

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an order."""

    action: Literal["pause", "resume"]
    stage: str | None = None
    tenant_id: str | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


_decode = msgspec.json.Decoder(Asked).decode


def attach(app: App, kit: Kit) -> None:
    """Add the routes once Faust has made its web server."""
    app.pages |= pages(PauseStore(kit.db), kit.pauses, kit.runners, kit.settings)


def pages(store: PauseStore, pauses: Pauses, stages: Collection[str], settings: Settings) -> dict[tuple[str, str], Page]:
    """Return the pages by method and path.

    Args:
        store: keeps the orders of all workers.
        pauses: of this worker, which follows an order at once; others follow within seconds.
        stages: the names that there are.
        settings: OPERATOR_TOKEN; who knows it may see and order.
    """

    async def shown(_request: web.Request) -> web.StreamResponse:
        """The operator's orders, and what this worker makes of them and of itself."""
        orders = await answered(store.read())
        return web.json_response(
            {"orders": [_described(order) for order in orders if order.paused], "stages": pauses.closed(), "throttled": pauses.throttles()}
        )

    async def ordered(request: web.Request) -> web.StreamResponse:
        """Pause or resume a stage, a tenant, or a tenant in a stage."""
        asked = await _asked(request, stages)
        paused = asked.action == "pause"
        order = await answered(store.order(asked.stage or EVERY, asked.tenant_id or EVERY, OPERATOR, paused=paused, reason=asked.reason))
        pauses.tell(await answered(store.read()))
        return web.json_response(_described(order))

    return {("GET", "/pauses"): operator(settings, shown), ("POST", "/pauses"): operator(settings, ordered)}


async def _asked(request: web.Request, stages: Collection[str]) -> Asked:
    try:
        asked = _decode(await request.read())
    except (msgspec.DecodeError, RecursionError) as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None
    if asked.stage is None and asked.tenant_id is None:
        raise web.HTTPBadRequest(text="name a stage, a tenant_id or both\n")
    if asked.stage is not None and asked.stage not in stages:
        raise web.HTTPBadRequest(text=f"stage: one of {', '.join(sorted(stages))}\n")
    if asked.tenant_id is not None and not _TENANT.fullmatch(asked.tenant_id):
        raise web.HTTPBadRequest(text="tenant_id: letters, digits and ._- only, beginning with a letter or digit, 64 at most\n")
    return asked


def _described(order: PauseOrder) -> dict[str, Any]:
    return {
        "stage": None if order.stage == EVERY else order.stage,
        "tenant_id": None if order.tenant_id == EVERY else order.tenant_id,
        "paused": order.paused,
        "reason": order.reason,
        "actor": order.actor,
        "changed_at": order.changed_at.isoformat(),
    }
