"""What a tenant is alerted of, and where to: the rules of a readable file (docs/alerts.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

MINUTES_A_DAY = 1440

Feeling = Annotated[float, Field(ge=-1, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Reading:
    """What ClickHouse says of one tenant over the last `minutes`: sums and counts, never averages.

    Attributes:
        sentiments: events that have a sentiment.
        topics: events that have a topic, complaints among them.
    """

    tenant_id: str
    minutes: int
    sentiment_sum: float
    sentiments: int
    complaints: int
    topics: int


class _Rule(BaseModel):
    """What rules have in common.

    Args:
        window_minutes: how far back the sliding window reaches.
        minimum_count: fewer events say nothing: an alert is neither raised nor cleared.
        cool_down_minutes: after an alert was cleared, how long none is raised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    enabled: bool = True
    window_minutes: Annotated[int, Field(ge=1, le=MINUTES_A_DAY)] = 15
    minimum_count: Annotated[int, Field(ge=1)] = 20
    cool_down_minutes: Annotated[int, Field(ge=0, le=7 * MINUTES_A_DAY)] = 30


class SentimentRule(_Rule):
    """Mean sentiment fell below `raise_below`; the alert is cleared when it is above `clear_above` again."""

    metric: Literal["mean_sentiment"]
    raise_below: Feeling
    clear_above: Feeling

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if self.clear_above <= self.raise_below:
            msg = "clear_above must be greater than raise_below: an alert would flap"
            raise ValueError(msg)
        return self

    def measure(self, reading: Reading) -> tuple[float, int] | None:
        """Return the mean and how many it is of; None if too few."""
        return _ratio(reading.sentiment_sum, reading.sentiments, self.minimum_count)

    def is_bad(self, value: float) -> bool:
        """Whether an alert is due."""
        return value < self.raise_below

    def is_well(self, value: float) -> bool:
        """Whether an alert is over."""
        return value > self.clear_above

    @property
    def thresholds(self) -> tuple[float, float]:
        """Where an alert is raised, and where cleared."""
        return self.raise_below, self.clear_above


class ComplaintRule(_Rule):
    """The share of complaints rose above `raise_above`; the alert is cleared when it is below `clear_below` again."""

    metric: Literal["complaint_share"]
    raise_above: Share
    clear_below: Share

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if self.clear_below >= self.raise_above:
            msg = "clear_below must be less than raise_above: an alert would flap"
            raise ValueError(msg)
        return self

    def measure(self, reading: Reading) -> tuple[float, int] | None:
        """Return the share and how many it is of; None if too few."""
        return _ratio(reading.complaints, reading.topics, self.minimum_count)

    def is_bad(self, value: float) -> bool:
        """Whether an alert is due."""
        return value > self.raise_above

    def is_well(self, value: float) -> bool:
        """Whether an alert is over."""
        return value < self.clear_below

    @property
    def thresholds(self) -> tuple[float, float]:
        """Where an alert is raised, and where cleared."""
        return self.raise_above, self.clear_below


Rule = Annotated[SentimentRule | ComplaintRule, Field(discriminator="metric")]
RULE: TypeAdapter[SentimentRule | ComplaintRule] = TypeAdapter(Rule)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a tenant's alerts are posted, and the key that signs them; neither shows in a representation."""

    url: str = field(repr=False)
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TenantAlerts:
    """The enabled rules of a tenant by name, and its webhook if it has one."""

    rules: Mapping[str, SentimentRule | ComplaintRule] = field(default_factory=dict)
    webhook: Webhook | None = None


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Every tenant's rules: its own, else the defaults."""

    defaults: TenantAlerts = field(default_factory=TenantAlerts)
    tenants: Mapping[str, TenantAlerts] = field(default_factory=dict)

    def of(self, tenant_id: str) -> TenantAlerts:
        """Return what holds for a tenant."""
        return self.tenants.get(tenant_id, self.defaults)

    @property
    def everything(self) -> list[SentimentRule | ComplaintRule]:
        """Return every enabled rule of anybody."""
        return [rule for alerts in (self.defaults, *self.tenants.values()) for rule in alerts.rules.values()]

    @property
    def windows(self) -> list[int]:
        """The windows' lengths in minutes, each once."""
        return sorted({rule.window_minutes for rule in self.everything})

    @property
    def longest_cool_down(self) -> timedelta:
        """After this no rule remembers an episode that was cleared."""
        return timedelta(minutes=max((rule.cool_down_minutes for rule in self.everything), default=0))

    @property
    def smallest_count(self) -> int:
        """With fewer events than this no rule says anything."""
        return min((rule.minimum_count for rule in self.everything), default=1)


def _ratio(total: float, count: int, minimum: int) -> tuple[float, int] | None:
    if count < minimum or not math.isfinite(total):
        return None
    return total / count, count
