"""The worker's eye on itself: lag and tables as metrics, health, recovery, the disk (spec sections 4 and 8)."""

from __future__ import annotations

import asyncio

from voc_stream import topics
from voc_stream.kit import App, Kit
from voc_stream.services.health import CHECK_SECONDS, LOOK_SECONDS
from voc_stream.services.measuring import LAG_SECONDS, Meter, slow_downloads
from voc_stream.services.recovery_log import RecoveryLog
from voc_stream.services.watch import close_if_down


def attach(app: App, kit: Kit) -> None:
    """Add the worker's timers; those that look at the health run from the start, before Kafka is there and while tables are recovered."""
    health, settings, recovery_log = kit.health, kit.settings, RecoveryLog()
    meter = Meter(app, kit.runners, (kit.seen, kit.ranges), health, kafka=kit.around.gates["kafka"], group=settings.kafka_group_id)

    @app.timer(LAG_SECONDS)
    async def measure() -> None:
        """Keep the metrics true."""
        lag = await meter.measure()
        if lag is not None:
            slow_downloads(kit.downloads, lag.get(topics.AUDIO_READY, 0), settings.download_slow_above_lag)

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
