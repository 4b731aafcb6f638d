"""Alerts and their outbox in memory: the same effects as PostgreSQL's, proven by tests/contract/test_alerts.py; readings as a test says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from tests.fakes.faults import PlannedFaults
from voc_stream.clients.alert_outbox import KEEP, LEASE
from voc_stream.clients.alert_store import DECISION_SECONDS
from voc_stream.events.alerts import AlertEvent
from voc_stream.events.base import derived_id, encode
from voc_stream.stages.alert_rules import Reading
from voc_stream.stages.alerts import Episode
from voc_stream.stages.outbox import Channel, Entry


@dataclass(slots=True)
class Waiting:
    """A row of the outbox."""

    entry: Entry
    alert_id: UUID
    channel: Channel
    next_attempt_at: datetime
    created_at: datetime
    last_error: str | None = None
    sent_at: datetime | None = None


class FakeAlerts(PlannedFaults):
    """Episodes and outbox of one database.

    Attributes:
        now: the server's clock.
        all_episodes: in the order in which they were raised.
        rows: the outbox, in the order in which it was written.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.now = now
        self.all_episodes: list[Episode] = []
        self.rows: list[Waiting] = []

    async def look(self, cleared_after: datetime) -> tuple[datetime, list[Episode]]:
        self.check("look")
        newest = {(e.tenant_id, e.rule): e for e in self.all_episodes if e.cleared_at is None or e.cleared_at > cleared_after}
        return self.now, list(newest.values())

    async def open_episodes(self) -> int:
        return sum(episode.cleared_at is None for episode in self.all_episodes)

    async def write(self, event: AlertEvent, channels: Sequence[Channel], *, asked_at: datetime, cool_down: timedelta = timedelta()) -> bool:
        self.check("write")
        if (self.now - asked_at).total_seconds() > DECISION_SECONDS or not self._take_effect(event, cool_down):
            return False
        for channel in channels:
            key = derived_id("alert", str(event.alert_id), event.state, channel)
            entry = Entry(key, event.tenant_id, event.state, encode(event), 0)
            self.rows.append(Waiting(entry, event.alert_id, channel, event.event_ts, self.now))
        return True

    def _take_effect(self, event: AlertEvent, cool_down: timedelta) -> bool:
        if event.state == "raised":
            same = [e for e in self.all_episodes if (e.tenant_id, e.rule) == (event.tenant_id, event.rule)]
            if any(e.cleared_at is None or e.cleared_at > event.raised_at - cool_down for e in same):
                return False
            self.all_episodes.append(Episode(event.alert_id, event.tenant_id, event.rule, event.metric, event.window_minutes, event.raised_at))
            return True
        for at, episode in enumerate(self.all_episodes):
            if episode.alert_id == event.alert_id and episode.cleared_at is None:
                self.all_episodes[at] = replace(episode, cleared_at=event.cleared_at)
                return True
        return False

    async def take(self, channel: Channel, limit: int, now: datetime, busy: Collection[str] = ()) -> list[Entry]:
        self.check("take")
        due: dict[str, Waiting] = {}
        for at, row in enumerate(self.rows):
            began = all(earlier.sent_at or earlier.alert_id != row.alert_id or earlier.channel != channel for earlier in self.rows[:at])
            if row.channel == channel and row.sent_at is None and row.next_attempt_at <= now and row.entry.tenant_id not in busy and began:
                due.setdefault(row.entry.tenant_id, row)
        taken = sorted(due.values(), key=lambda row: row.next_attempt_at)[:limit]
        for row in taken:
            row.entry = replace(row.entry, attempt=row.entry.attempt + 1)
            row.next_attempt_at = now + LEASE
        return [row.entry for row in taken]

    async def sent(self, keys: Sequence[UUID], now: datetime) -> None:
        self.check("sent")
        for row in self._unsent(keys):
            row.sent_at, row.last_error = now, None

    async def failed(self, keys: Sequence[UUID], next_attempt_at: datetime, reason: str) -> None:
        self.check("failed")
        for row in self._unsent(keys):
            row.next_attempt_at, row.last_error = next_attempt_at, reason

    async def remove(self, key: UUID) -> None:
        self.rows = [row for row in self.rows if row.entry.key != key or row.sent_at]

    async def oldest(self) -> dict[Channel, datetime]:
        waiting: dict[Channel, datetime] = {}
        for row in self.rows:
            if row.sent_at is None:
                waiting.setdefault(row.channel, row.created_at)
        return waiting

    async def forget(self, now: datetime) -> None:
        self.rows = [row for row in self.rows if row.sent_at is None or row.sent_at >= now - KEEP]

    def _unsent(self, keys: Sequence[UUID]) -> list[Waiting]:
        return [row for row in self.rows if row.entry.key in keys and row.sent_at is None]


class FakeReadings(PlannedFaults):
    """What ClickHouse would say.

    Attributes:
        says: the readings of the next turns.
    """

    def __init__(self) -> None:
        super().__init__()
        self.says: list[Reading] = []

    async def read(self, windows: Sequence[int], least: int, now: datetime) -> list[Reading]:  # noqa: ARG002 - the client's signature
        self.check("read")
        return [reading for reading in self.says if reading.minutes in windows and max(reading.sentiments, reading.topics) >= least]
