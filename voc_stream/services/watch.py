"""What the worker knows of itself: lag, group errors that do not heal, whether it is ready (spec sections 4 and 8)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from aiokafka.errors import KafkaError

from voc_stream.kit import App, Kit
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics

logger = get_logger(__name__)

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
            return
        for topic, lag in lags.items():
            metrics.CONSUMER_LAG.labels(topic, kit.settings.kafka_group_id).set(lag)

    @app.timer(GROUP_SECONDS)
    async def check_group() -> None:
        """End the worker on a group error that nobody else would see: it would live on without partitions."""
        thread = app.consumer._thread  # noqa: SLF001 - Faust bypasses the call that would raise these
        if thread._consumer is not None:  # noqa: SLF001
            await thread.call_thread(_raise_group_errors, thread)


async def lag_by_topic(app: App) -> dict[str, int]:
    """Return, by topic, how many records of the assigned partitions are not committed."""
    assigned = {tp for tp in app.consumer.assignment() if app.topics.acks_enabled_for(tp.topic)}
    ends = await app.consumer.highwaters(*assigned) if assigned else {}
    lags: Counter[str] = Counter()
    for tp, end in ends.items():
        committed = app.consumer._committed_offset.get(tp) or 0  # noqa: SLF001 - the base class has no getter
        lags[tp.topic] += max(0, (end or 0) - committed)
    return dict(lags)


def unready_reasons(app: App, kit: Kit) -> list[str]:
    """Return why the worker should get no work now; empty when it is ready."""
    reasons = []
    if app._consumer is None or not app.consumer.started:
        reasons.append("the consumer has not started")
    elif app.rebalancing:
        reasons.append("rebalancing")
    elif app.in_recovery:
        reasons.append("recovering its tables")
    reasons += [f"{gate.dependency}: {gate.reason}" for gate in kit.gates if not gate.is_open]
    return reasons


async def _raise_group_errors(thread: Any) -> None:
    thread._consumer._coordinator.check_errors()  # noqa: SLF001 - see check_group
