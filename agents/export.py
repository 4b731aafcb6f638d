"""`scoring.results` to ClickHouse and, as a customer event, to `voc.calls` (spec section 2.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voc_stream import topics
from voc_stream.events.base import Decoder
from voc_stream.events.calls import ScoringResult
from voc_stream.kit import App, Kit
from voc_stream.runtime.stage import Delivery, Stage, by_policy
from voc_stream.services.export import Exporter
from voc_stream.stages.outcome import Outcome
from voc_stream.stages.retry import RetryPolicy


def attach(app: App, kit: Kit) -> None:
    """Add the agent; results go to ClickHouse in batches."""
    exporter = Exporter(warehouse=kit.warehouse, objects=kit.objects, composite=kit.composite, topic=topics.VOC_CALLS)

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return await exporter.export(deliveries)

    stage = Stage(
        "export", Decoder(ScoringResult), work, by_policy(RetryPolicy(attempts=5)), ("clickhouse", "s3", "postgres"), in_flight=256, chunk=64
    )
    runner = kit.runner(stage)

    @app.agent(kit.source(topics.SCORING_RESULTS))
    async def export(stream: Any) -> None:
        """Rows of `call_scores`, and the transcript as an event of the customer."""
        await runner.run(stream.noack().events())
