"""`calls.polled` to `calls.raw`: once per call_id (spec section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from voc_stream import topics
from voc_stream.events.base import Decoder
from voc_stream.events.calls import RawCall
from voc_stream.kit import App, Kit
from voc_stream.runtime.stage import Delivery, Stage, by_policy
from voc_stream.runtime.state import STATE
from voc_stream.stages.dedup import judge
from voc_stream.stages.outcome import Outcome
from voc_stream.stages.retry import RetryPolicy


def attach(app: App, kit: Kit) -> None:
    """Add the agent. What a chunk remembers the next one of its partition must see."""
    window = timedelta(seconds=kit.settings.calls_seen_seconds)

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        partition = deliveries[0].facts.partition
        seen = kit.seen.lookup(partition, {delivery.event.call_id for delivery in deliveries})
        verdicts = judge([(delivery.event, delivery.facts) for delivery in deliveries], seen, topics.CALLS_RAW)
        now = deliveries[0].facts.now
        await kit.seen.remember(partition, verdicts.first_seen, now)
        await kit.seen.forget(partition, now - window, len(verdicts.first_seen))
        return verdicts.outcomes

    stage = Stage("dedup", Decoder(RawCall), work, by_policy(RetryPolicy(attempts=5)), (STATE,), in_flight=2000, chunk=500, in_order=True)
    runner = kit.runner(stage)

    @app.agent(kit.source(topics.CALLS_POLLED))
    async def dedup(stream: Any) -> None:
        """Segments the recorder told of, each passed on once."""
        await runner.run(stream.noack().events())
