"""When an alert is raised and when it is cleared: hysteresis, minimum count, cool-down, one episode at a time (docs/alerts.md)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from voc_stream.events.alerts import AlertEvent, Cause, Metric
from voc_stream.events.base import derived_id
from voc_stream.stages.alert_rules import AlertRules, ComplaintRule, Reading, SentimentRule


@dataclass(frozen=True, slots=True)
class Episode:
    """The newest episode of a tenant's rule; open while `cleared_at` is None."""

    alert_id: uuid.UUID
    tenant_id: str
    rule: str
    metric: Metric
    window_minutes: int
    raised_at: datetime
    cleared_at: datetime | None = None


def evaluate(rules: AlertRules, readings: Iterable[Reading], episodes: Iterable[Episode], now: datetime) -> list[AlertEvent]:
    """Return what begins and what ends now, by tenant and rule.

    Args:
        rules: of all tenants.
        readings: one for each tenant and window; a tenant without one had no events.
        episodes: the newest of each tenant's rule; those cleared before the longest cool-down may be left out.
        now: the moment of the readings.
    """
    measured = {(reading.tenant_id, reading.minutes): reading for reading in readings}
    newest = {(episode.tenant_id, episode.rule): episode for episode in episodes}
    happened: list[AlertEvent] = []
    for tenant_id in sorted({tenant for tenant, _ in (*measured, *newest)}):
        for name, rule in rules.of(tenant_id).rules.items():
            reading, episode = measured.get((tenant_id, rule.window_minutes)), newest.pop((tenant_id, name), None)
            event = decide(tenant_id, name, rule, reading=reading, newest=episode, now=now)
            if event is not None:
                happened.append(event)
    # What is left has no rule any more.
    return happened + [_cleared(episode, now, cause="rule_removed") for episode in newest.values() if episode.cleared_at is None]


def decide(
    tenant_id: str, name: str, rule: SentimentRule | ComplaintRule, *, reading: Reading | None, newest: Episode | None, now: datetime
) -> AlertEvent | None:
    """Return the alert that is raised or cleared, or None. Too few events change nothing: they do not say that all is well again."""
    found = rule.measure(reading) if reading is not None else None
    if found is None:
        return None
    value, count = found
    raise_at, clear_at = rule.thresholds
    if newest is not None and newest.cleared_at is None:
        return _cleared(newest, now, value=value, count=count, threshold=clear_at) if rule.is_well(value) else None
    if not rule.is_bad(value) or _is_cooling_down(rule, newest, now):
        return None
    alert_id = derived_id("alert", tenant_id, name, now.isoformat())
    return AlertEvent(
        event_ts=now,
        ingest_uuid=derived_id("alert", str(alert_id), "raised"),
        alert_id=alert_id,
        tenant_id=tenant_id,
        rule=name,
        metric=rule.metric,
        state="raised",
        value=value,
        count=count,
        threshold=raise_at,
        window_minutes=rule.window_minutes,
        raised_at=now,
    )


def _is_cooling_down(rule: SentimentRule | ComplaintRule, newest: Episode | None, now: datetime) -> bool:
    if newest is None or newest.cleared_at is None:
        return False
    return now < newest.cleared_at + timedelta(minutes=rule.cool_down_minutes)


def _cleared(
    episode: Episode, now: datetime, *, cause: Cause = "data", value: float | None = None, count: int = 0, threshold: float | None = None
) -> AlertEvent:
    return AlertEvent(
        event_ts=now,
        ingest_uuid=derived_id("alert", str(episode.alert_id), "cleared"),
        alert_id=episode.alert_id,
        tenant_id=episode.tenant_id,
        rule=episode.rule,
        metric=episode.metric,
        state="cleared",
        cause=cause,
        value=value,
        count=count,
        threshold=threshold,
        window_minutes=episode.window_minutes,
        raised_at=episode.raised_at,
        cleared_at=max(now, episode.raised_at),  # another replica's clock may be ahead of ours
    )
