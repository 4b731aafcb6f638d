"""`scoring.results` to ClickHouse and, as a customer event, to `voc.calls` (spec section 2.6)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from voc_stream import topics
from voc_stream.clients.completeness_asks import CompletenessAsks
from voc_stream.events.base import Decoder
from voc_stream.events.calls import ScoringResult
from voc_stream.kit import App, Kit
from voc_stream.runtime.stage import Delivery, Stage
from voc_stream.services.export import Exporter
from voc_stream.stages.changes import EXPORT
from voc_stream.stages.export import failed
from voc_stream.stages.outcome import Outcome
from voc_stream.stages.retry import RetryPolicy


def attach(app: App, kit: Kit) -> None:
    """Add the agent; results go to ClickHouse in batches."""
    exporter = Exporter(
        warehouse=kit.warehouse, objects=kit.objects, composite=kit.composite, privacy=kit.privacy,
        copies=CompletenessAsks(kit.warehouse).copies, dedup_seconds=kit.settings.dedup_window_seconds, topic=topics.VOC_CALLS,
    )  # fmt: skip

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return await exporter.export(deliveries)

    give_up = partial(failed, policy=RetryPolicy(attempts=5))
    runner = kit.runner(Stage(EXPORT, Decoder(ScoringResult), work, give_up, ("clickhouse", "s3", "postgres"), in_flight=256, chunk=64))

    @app.agent(kit.source(topics.SCORING_RESULTS))
    async def export(stream: Any) -> None:
        """Rows of `call_scores`, and the transcript as an event of the customer."""
        await runner.run(stream.noack().events())
