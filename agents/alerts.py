"""Alerts, by the leader: `voc.alerts` and the tenants' webhooks (spec section 8)."""

from __future__ import annotations

import asyncio
from functools import partial

from voc_stream.errors import OutsideError
from voc_stream.kit import App, Kit
from voc_stream.runtime.leading import leading

SEND_SECONDS = 1.0
MEASURE_SECONDS = 15.0
FORGET_SECONDS = 3600.0


def attach(app: App, kit: Kit) -> None:
    """Add the leader's loops, and one that keeps every replica's metrics true."""
    gates, sender = kit.around.gates, kit.alert_sender
    lead = partial(leading, app, gates)

    async def measure() -> None:
        while not app.should_stop:
            if gates["postgres"].is_open:
                try:
                    await kit.evaluator.measure()
                    await sender.measure()
                except OutsideError as error:
                    gates["postgres"].close(error)
            await asyncio.sleep(MEASURE_SECONDS)

    app.task(lambda: lead(kit.settings.alerts_seconds, kit.evaluator.turn, "clickhouse", "postgres"))
    app.task(lambda: lead(SEND_SECONDS, sender.publish, "kafka", "postgres"))
    app.task(lambda: lead(SEND_SECONDS, sender.post, "postgres"))
    app.task(lambda: lead(FORGET_SECONDS, sender.forget, "postgres"))
    app.task(measure)
