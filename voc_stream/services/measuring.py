"""Lag, queues and tables as metrics, and what follows from lag: fewer downloads while scoring is behind (spec sections 2 and 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from voc_stream.runtime import metrics
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.limit import Limit
from voc_stream.services.health import Health
from voc_stream.services.watch import backlog_of, close_if_down
from voc_stream.stages.adaptive import lowered

# From one measurement to the next, and how long Kafka may take to answer.
LAG_SECONDS = 5.0


class Waiting(Protocol):
    """A stage's runner, as far as it is measured."""

    def waiting_records(self) -> int:
        """Return how many records are fetched and not resolved."""


class Table(Protocol):
    """A table that knows its size."""

    def measure(self) -> None:
        """Bring its metrics up to date."""


class Meter:
    """Measures one worker.

    Args:
        app: the Faust app.
        runners: the stages, by name; more may come.
        tables: what grows.
        health: is told what was not even fetched.
        kafka: its gate, closed when it neither says its offsets nor answers a probe.
        group: the consumer group's name.
    """

    def __init__(self, app: Any, runners: Mapping[str, Waiting], tables: Sequence[Table], health: Health, *, kafka: Gate, group: str) -> None:
        self._app = app
        self._runners = runners
        self._tables = tables
        self._health = health
        self._kafka = kafka
        self._group = group
        self._shown: set[str] = set()

    async def measure(self) -> Mapping[str, int] | None:
        """Bring the metrics up to date, and return the lag in records by topic; None when Kafka does not say it."""
        for name, runner in self._runners.items():
            metrics.QUEUE_DEPTH.labels(name).set(runner.waiting_records())
        for table in self._tables:
            table.measure()
        try:
            async with asyncio.timeout(LAG_SECONDS):
                backlog = await backlog_of(self._app)
        except (TimeoutError, KafkaError):
            await close_if_down(self._kafka)
            return None
        self._health.unread = backlog.unread
        self._show(backlog.lag)
        return backlog.lag

    def _show(self, lag: Mapping[str, int]) -> None:
        """Topics whose partitions went to another worker have no lag here: it would be counted twice."""
        for topic in self._shown - set(lag):
            metrics.CONSUMER_LAG.remove(topic, self._group)
        for topic, records in lag.items():
            metrics.CONSUMER_LAG.labels(topic, self._group).set(records)
        self._shown = set(lag)


def slow_downloads(places: Limit, scoring_lag: int, threshold: int) -> None:
    """Take no more recordings from the recorder than there is hope of scoring soon.

    Args:
        places: the downloads' limit.
        scoring_lag: recordings that wait to be scored.
        threshold: `DOWNLOAD_SLOW_ABOVE_LAG`.
    """
    places.hold_to(lowered(places.ceiling, places.floor, lag=scoring_lag, threshold=threshold))
