"""The value of `voc.alerts`, and of the webhook: a rule's alert was raised or cleared (spec section 1)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from voc_stream.events.base import Aware, TenantId, Wire

Metric = Literal["mean_sentiment", "complaint_share"]
State = Literal["raised", "cleared"]
Cause = Literal["data", "rule_removed"]


class AlertEvent(Wire, frozen=True, kw_only=True):
    """One end of an episode. `event_ts` is when it was decided; `ingest_uuid` is the same however often this is sent.

    Attributes:
        alert_id: the episode; its two ends have it in common.
        value: what was measured: mean sentiment, -1 to 1, or the share of complaints, 0 to 1; None where the rule is no more.
        count: events that the value is made of.
        threshold: what the value passed; None where the rule is no more.
        cause: `rule_removed` if it was cleared because the rule was removed or switched off, else `data`.
    """

    alert_id: uuid.UUID
    tenant_id: TenantId
    rule: str
    metric: Metric
    state: State
    cause: Cause = "data"
    value: float | None
    count: int
    threshold: float | None
    window_minutes: int
    raised_at: Aware
    cleared_at: Aware | None = None

    @property
    def moment(self) -> datetime:
        """When this end of the episode was."""
        return self.cleared_at or self.raised_at
