"""The evaluator: rules, what ClickHouse says, and the episodes so far, into alerts raised and cleared (docs/alerts.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from voc_stream.errors import RejectedError, TransientError
from voc_stream.events.alerts import AlertEvent
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.services.alerts_file import AlertsFile
from voc_stream.stages.alert_rules import AlertRules, Reading
from voc_stream.stages.alerts import Episode, evaluate
from voc_stream.stages.outbox import Channel

logger = get_logger(__name__)

# More is decided a second time at the next turn.
AT_ONCE = 500


class Readings(Protocol):
    """What `AlertReadings` does."""

    async def read(self, windows: Sequence[int], least: int, now: datetime) -> list[Reading]:
        """Return a reading for each tenant and window."""
        ...


class Store(Protocol):
    """What `AlertStore` does."""

    async def look(self, cleared_after: datetime) -> tuple[datetime, list[Episode]]:
        """Return the server's time and the newest episodes."""
        ...

    async def write(self, event: AlertEvent, channels: Sequence[Channel], *, asked_at: datetime, cool_down: timedelta = ...) -> bool:
        """Raise or clear, if nobody was faster."""
        ...

    async def open_episodes(self) -> int:
        """Return how many alerts are raised and not cleared."""
        ...


class Evaluator:
    """Evaluates every rule of every tenant; any number of replicas may do so at once.

    Args:
        file: the rules.
        readings: ClickHouse.
        store: PostgreSQL, which decides who raises.
        now: replaced in tests.
    """

    def __init__(self, *, file: AlertsFile, readings: Readings, store: Store, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._file = file
        self._readings = readings
        self._store = store
        self._now = now

    async def turn(self) -> int:
        """Raise and clear what is due; returns how many alerts changed. An attempt that failed is made again by the next turn.

        Raises:
            OutsideError: ClickHouse or PostgreSQL is down; what was written before stands.
        """
        try:
            return await self._evaluate()
        except TransientError as error:
            logger.warning("the alerts were not evaluated this time", dependency=error.dependency, reason=error.reason)
            return 0

    async def measure(self) -> None:
        """Keep `voc_alerts_open` true, on every replica."""
        metrics.ALERTS_OPEN.set(await self._store.open_episodes())

    async def _evaluate(self) -> int:
        rules, now = self._file.current(), self._now()
        # Episodes first: a reading is never older than the episode that it may end.
        asked_at, episodes = await self._store.look(now - rules.longest_cool_down)
        readings = await self._readings.read(rules.windows, rules.smallest_count, now)
        due = evaluate(rules, readings, episodes, now)[:AT_ONCE]
        took_effect = [await self._write(rules, event, asked_at) for event in due]
        metrics.ALERTS_EVALUATED.set_to_current_time()
        return sum(took_effect)

    async def _write(self, rules: AlertRules, event: AlertEvent, asked_at: datetime) -> bool:
        alerts = rules.of(event.tenant_id)
        rule = alerts.rules.get(event.rule)
        channels: list[Channel] = ["topic", "webhook"] if alerts.webhook else ["topic"]
        cool_down = timedelta(minutes=rule.cool_down_minutes) if rule else timedelta()
        try:
            took_effect = await self._store.write(event, channels, asked_at=asked_at, cool_down=cool_down)
        except RejectedError as error:
            logger.error("an alert cannot be stored", tenant_id=event.tenant_id, rule=event.rule, reason=error.reason)
            return False
        if took_effect:
            metrics.ALERTS.labels(event.metric, event.state).inc()
            logger.info("alert", tenant_id=event.tenant_id, rule=event.rule, state=event.state, alert_id=str(event.alert_id), events=event.count)
        return took_effect
