"""`calls.enriched` to `audio.ready`: the recording, from the recorder into S3 (spec section 2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voc_stream import topics
from voc_stream.events.base import Decoder
from voc_stream.events.calls import EnrichedCall
from voc_stream.kit import App, Kit
from voc_stream.runtime.stage import Delivery, Stage
from voc_stream.services.fetch import Fetcher
from voc_stream.stages.download import STAGE
from voc_stream.stages.outcome import Outcome


def attach(app: App, kit: Kit) -> None:
    """Add the agent; its recordings are copied side by side."""
    fetcher = Fetcher(
        store=kit.calls, recordings=kit.recordings, privacy=kit.privacy, objects=kit.objects, places=kit.downloads, settings=kit.settings,
        topic=topics.AUDIO_READY,
    )  # fmt: skip

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await fetcher.fetch(delivery.event, delivery.facts) for delivery in deliveries]

    needs = ("recorder", "s3", "postgres")
    # As many again: while the recorder sends the next recordings, those before reach S3, PostgreSQL and Kafka.
    most = 2 * kit.settings.download_in_flight
    runner = kit.runner(Stage(STAGE, Decoder(EnrichedCall), work, fetcher.failed, needs, most, adapted=lambda: 2 * kit.downloads.current))

    @app.agent(kit.source(topics.CALLS_ENRICHED))
    async def download(stream: Any) -> None:
        """Recordings, hashed and probed on their way into S3."""
        await runner.run(stream.noack().events())
