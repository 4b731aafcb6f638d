"""`calls.raw` to `calls.enriched`: UTC, agent, customer, tenant; `call` rows (spec section 2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from voc_stream import topics
from voc_stream.events.base import Decoder
from voc_stream.events.calls import RawCall
from voc_stream.kit import App, Kit
from voc_stream.runtime.stage import Delivery, Stage, by_policy
from voc_stream.stages.enrich import enrich as enriched
from voc_stream.stages.outcome import Drop, Outcome
from voc_stream.stages.retry import RetryPolicy


def attach(app: App, kit: Kit) -> None:
    """Add the agent; up to 500 calls become rows in one transaction."""

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        tenants = kit.tenants.current()
        calls = [delivery.event for delivery in deliveries]
        known = [replace(call, tenant_id=tenants.tenant_of(call.service, call.skill)) for call in calls]
        standings = await kit.privacy.standings(known, [call.other_parties for call in calls])
        return [
            Drop("forgotten") if standing.forgotten else enriched(delivery.event, delivery.facts, tenants, topics.CALLS_ENRICHED)
            for delivery, standing in zip(deliveries, standings, strict=True)
        ]

    stage = Stage("enrich", Decoder(RawCall), work, by_policy(RetryPolicy(attempts=5)), ("postgres",), in_flight=2000, chunk=500)
    runner = kit.runner(stage)

    @app.agent(kit.source(topics.CALLS_RAW))
    async def enrich(stream: Any) -> None:
        """Calls with their tenant and agent, `PENDING_DOWNLOAD` in PostgreSQL."""
        await runner.run(stream.noack().events())
