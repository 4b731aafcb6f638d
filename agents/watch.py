"""The worker's eye on itself: lag and tables as metrics, health, recovery, the disk (spec sections 4 and 8)."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError

from voc_stream import topics
from voc_stream.kit import App, Kit
from voc_stream.runtime import metrics
from voc_stream.services.health import CHECK_SECONDS, LOOK_SECONDS
from voc_stream.services.recovery_log import RecoveryLog
from voc_stream.services.watch import backlog_of, close_if_down
from voc_stream.stages.adaptive import lowered

LAG_SECONDS = 5.0


def attach(app: App, kit: Kit) -> None:
    """Add the worker's timers; those that look at the health run from the start, before Kafka is there and while tables are recovered."""
    health, recovery_log = kit.health, RecoveryLog()

    @app.timer(LAG_SECONDS)
    async def measure() -> None:
        """Keep the metrics of lag, queues and tables true."""
        for name, runner in kit.runners.items():
            metrics.QUEUE_DEPTH.labels(name).set(runner.waiting_records())
        for table in (kit.seen, kit.ranges):
            table.measure()
        try:
            async with asyncio.timeout(LAG_SECONDS):
                backlog = await backlog_of(app)
        except (TimeoutError, KafkaError):
            await close_if_down(kit.around.gates["kafka"])
            return
        health.unread = backlog.unread
        for topic, lag in backlog.lag.items():
            metrics.CONSUMER_LAG.labels(topic, kit.settings.kafka_group_id).set(lag)
        _slow_downloads(kit, backlog.lag.get(topics.AUDIO_READY, 0))

    async def look() -> None:
        while not app.should_stop:
            health.look()
            recovery_log.look(health.recovery)
            await asyncio.sleep(LOOK_SECONDS)

    async def check() -> None:
        while not app.should_stop:
            await close_if_down(kit.around.gates["state"])
            await health.check_group()
            await asyncio.sleep(CHECK_SECONDS)

    app.at_start += [look, check]


def _slow_downloads(kit: Kit, scoring_lag: int) -> None:
    """Take no more recordings from the recorder than there is hope of scoring soon (spec section 2)."""
    places = kit.downloads
    places.hold_to(lowered(places.ceiling, places.floor, lag=scoring_lag, threshold=kit.settings.download_slow_above_lag))
