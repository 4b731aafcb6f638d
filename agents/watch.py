"""The worker's eye on itself: lag as a metric, group errors as an end (spec sections 4 and 8)."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError

from voc_stream.kit import App, Kit
from voc_stream.runtime import metrics
from voc_stream.services.watch import close_if_down, lag_by_topic, raise_group_errors

LAG_SECONDS = 5.0
GROUP_SECONDS = 10.0


def attach(app: App, kit: Kit) -> None:
    """Add the worker's timers."""

    @app.timer(LAG_SECONDS)
    async def measure_lag() -> None:
        """Keep `kafka_consumer_lag` and `queue_depth` true."""
        for name, runner in kit.runners.items():
            metrics.QUEUE_DEPTH.labels(name).set(runner.waiting_records())
        try:
            async with asyncio.timeout(LAG_SECONDS):
                lags = await lag_by_topic(app)
        except (TimeoutError, KafkaError):
            await close_if_down(kit.around.gates["kafka"])
            return
        for topic, lag in lags.items():
            metrics.CONSUMER_LAG.labels(topic, kit.settings.kafka_group_id).set(lag)

    @app.timer(GROUP_SECONDS)
    async def check_group() -> None:
        """End the worker on a group error that does not heal."""
        await raise_group_errors(app)
