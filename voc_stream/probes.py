"""The worker's own pages, on the operator's port: alive, ready and why not, metrics, what stands still (spec section 4). Faust's pages are off.

They are open to whoever reaches OPERATOR_HOST, which is loopback by default. The people's side is another process (docs/web.md).
"""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from voc_stream.kit import App, Kit
from voc_stream.runtime import metrics
from voc_stream.services.watch import closed, flapping, unready_reasons


def attach(app: App, kit: Kit) -> None:
    """Add the routes once Faust has made its web server."""

    async def healthz(_request: web.Request) -> web.Response:
        """Alive, or what a restart would mend."""
        reasons = kit.health.ill_reasons()
        status: dict[str, object] = {"status": "ill", "reasons": reasons} if reasons else {"status": "ok"}
        return web.json_response(status, status=503 if reasons else 200)

    async def readyz(_request: web.Request) -> web.Response:
        """Ready for work, or why not; and what it works without, or what comes and goes (`degraded`)."""
        reasons = unready_reasons(app, kit.gates, kit.health.recovery) + kit.pauses.closed()
        status: dict[str, object] = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
        if degraded := closed(kit.helpers) + flapping(kit.gates):
            status["degraded"] = degraded
        return web.json_response(status, status=503 if reasons else 200)

    async def metrics_page(_request: web.Request) -> web.Response:
        """Every metric, in Prometheus text."""
        return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def pauses(_request: web.Request) -> web.Response:
        """What stands still in this worker, by order or by itself, and whose letters are too many."""
        return web.json_response({"stages": kit.pauses.closed(), "throttled": kit.pauses.throttles()})

    app.pages |= {("GET", "/healthz"): healthz, ("GET", "/readyz"): readyz, ("GET", "/metrics"): metrics_page, ("GET", "/pauses"): pauses}
