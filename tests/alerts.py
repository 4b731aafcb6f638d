"""What tests of alerts have in common: rules, an alert's two ends."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from voc_stream.events.alerts import AlertEvent
from voc_stream.events.base import derived_id
from voc_stream.stages.alert_rules import AlertRules, Reading, SentimentRule, TenantAlerts, Webhook

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LOW = SentimentRule(metric="mean_sentiment", raise_below=-0.3, clear_above=-0.1, minimum_count=10, cool_down_minutes=30)
RULES = AlertRules(TenantAlerts({"low": LOW}))


def with_webhooks(*tenants: str) -> AlertRules:
    """Return the rules, with a webhook for each of these tenants."""
    return AlertRules(RULES.defaults, {tenant: replace(RULES.defaults, webhook=hook(tenant)) for tenant in tenants})


def hook(tenant_id: str) -> Webhook:
    return Webhook(f"https://{tenant_id}.example.com/", b"a-made-up-secret")


def felt(mean: float, tenant_id: str = "acme", count: int = 20) -> Reading:
    return Reading(tenant_id, LOW.window_minutes, sentiment_sum=mean * count, sentiments=count, complaints=0, topics=0)


def raised(tenant_id: str = "acme", rule: str = "low", at: datetime = NOON) -> AlertEvent:
    """Return an alert that was raised."""
    alert_id = derived_id("alert", tenant_id, rule, at.isoformat())
    return AlertEvent(
        event_ts=at, ingest_uuid=uuid.uuid5(alert_id, "raised"), alert_id=alert_id, tenant_id=tenant_id, rule=rule, metric="mean_sentiment",
        state="raised", value=-0.5, count=20, threshold=-0.3, window_minutes=15, raised_at=at,
    )  # fmt: skip


def cleared(begin: AlertEvent, after: timedelta = timedelta(minutes=10)) -> AlertEvent:
    """Return the end of what `raised` began."""
    at = begin.raised_at + after
    return msgspec.structs.replace(
        begin, event_ts=at, ingest_uuid=uuid.uuid5(begin.alert_id, "cleared"), state="cleared", value=0.1, threshold=-0.1, cleared_at=at
    )
