"""The composite score of a call (spec section 2.6): how well the agent did, and how the customer felt."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from struct import Struct
from typing import TypeAlias

import msgspec

DEFAULT_WEIGHT = Decimal("0.7")

# Tenant and call_id: calls of two tenants never meet, whatever they are called.
Key: TypeAlias = tuple[str, str]

_CENT = Decimal("0.01")
# What a 32-bit number keeps of a sentiment, and what a double of it keeps exactly through PostgreSQL's arithmetic and ours.
_DECIMALS = 6
_single = Struct("<f")


@dataclass(frozen=True, slots=True)
class Weights:
    """How much the quality counts against the sentiment, 0 to 1, by tenant; a higher version takes the place of a lower."""

    version: int = 0
    default: Decimal = DEFAULT_WEIGHT
    tenants: Mapping[str, Decimal] = field(default_factory=dict)

    def of(self, tenant_id: str) -> Weight:
        """Return the tenant's weight."""
        return Weight(self.tenants.get(tenant_id, self.default), self.version)


class Weight(msgspec.Struct, frozen=True):
    """A tenant's weight, and of which version of the weights it is."""

    value: Decimal
    version: int


class Quality(msgspec.Struct, frozen=True):
    """What the newest result of the scorer says; `score` is 0 to 100, None for a call that it cannot score."""

    score: Decimal | None
    model_version: str
    scored_at: datetime


class Feeling(msgspec.Struct, frozen=True):
    """The customer's sentiment, -1 to 1, as an event told it, and what that was about (None: not known)."""

    sentiment: float
    source: str
    heard_at: datetime
    event_id: uuid.UUID
    topic: str | None = None

    @classmethod
    def as_stored(cls, sentiment: float, source: str, heard_at: datetime, event_id: uuid.UUID, topic: str | None = None) -> Feeling:
        """Return what `voc_events` keeps of a sentiment (32 bits, milliseconds): the same, whether it comes from there or from the event."""
        (kept,) = _single.unpack(_single.pack(sentiment))
        moment = heard_at.replace(microsecond=heard_at.microsecond // 1000 * 1000)
        return cls(round(kept, _DECIMALS), source, moment, event_id, topic)


class CallSides(msgspec.Struct, frozen=True):
    """What is known of a call: either side, or both.

    Attributes:
        revision: counts the changes of what is stored, from 1; 0 for what is not stored yet.
    """

    tenant_id: str
    call_id: str
    weight: Weight
    quality: Quality | None = None
    feeling: Feeling | None = None
    revision: int = 0

    @property
    def key(self) -> Key:
        """Whose call it is, and which."""
        return (self.tenant_id, self.call_id)

    @property
    def have_met(self) -> bool:
        """Whether both sides are known."""
        return self.quality is not None and self.feeling is not None

    @property
    def composite(self) -> Decimal | None:
        """0 to 100, two decimals; None while a side is missing, and for a call that cannot be scored."""
        if self.quality is None or self.quality.score is None or self.feeling is None:
            return None
        weight = self.weight.value
        feeling = 50 * (1 + Decimal(repr(self.feeling.sentiment)))
        return (weight * self.quality.score + (1 - weight) * feeling).quantize(_CENT, ROUND_HALF_UP)

    def merged(self, other: CallSides) -> CallSides:
        """Return the newest of each side; of two that are as new, and of two weights of one version, that of `self` stays."""
        return msgspec.structs.replace(
            self,
            quality=_newest(self.quality, other.quality),
            feeling=_latest(self.feeling, other.feeling),
            weight=other.weight if other.weight.version > self.weight.version else self.weight,
        )


def _newest(known: Quality | None, given: Quality | None) -> Quality | None:
    if known is None or given is None:
        return known or given
    return given if (given.scored_at, given.model_version) > (known.scored_at, known.model_version) else known


def _latest(known: Feeling | None, given: Feeling | None) -> Feeling | None:
    if known is None or given is None:
        return known or given
    return given if (given.heard_at, given.event_id) > (known.heard_at, known.event_id) else known
