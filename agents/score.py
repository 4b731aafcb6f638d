"""`audio.ready` to `scoring.results`: S3 to the scoring API, streamed (spec section 2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voc_stream import topics
from voc_stream.events.base import Decoder
from voc_stream.events.calls import AudioReady
from voc_stream.kit import App, Kit
from voc_stream.runtime.stage import Delivery, Stage
from voc_stream.services.judge import Judge
from voc_stream.stages.outcome import Outcome
from voc_stream.stages.score import STAGE


def attach(app: App, kit: Kit) -> None:
    """Add the agent."""
    judge = Judge(
        store=kit.calls, objects=kit.objects, scoring=kit.scoring, privacy=kit.privacy, redactor=kit.redactor, places=kit.scores,
        settings=kit.settings, topic=topics.SCORING_RESULTS,
    )  # fmt: skip

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await judge.score(delivery.event, delivery.facts) for delivery in deliveries]

    needs = ("scorer", "s3", "postgres")
    # As many again: while the scorer has its places taken, the results of those before reach S3, PostgreSQL and Kafka.
    most = 2 * kit.settings.scoring_in_flight
    runner = kit.runner(Stage(STAGE, Decoder(AudioReady), work, judge.failed, needs, most, adapted=lambda: 2 * kit.scores.current))

    @app.agent(kit.source(topics.AUDIO_READY))
    async def score(stream: Any) -> None:
        """Scores with their evidence; transcripts in S3."""
        await runner.run(stream.noack().events())
