"""What composite scores are made of, for tests."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from tests.calls import NOW, enriched_call, scoring_result
from voc_stream.events.calls import ScoringResult
from voc_stream.events.voc import CallEvent
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.composite import CallSides, Feeling, Quality, Weight

WEIGHT = Weight(Decimal("0.700"), 0)


def result(score: float | None = 80.0, *, call_id: str = "c1", tenant_id: str = "acme", model: str = "m1", minute: int = 0) -> ScoringResult:
    call = enriched_call(call_id, tenant_id=tenant_id)
    outcome = scoring_result(call, outcome="NOT_SCORABLE" if score is None else "SCORED", score=score, model_version=model)
    return msgspec.structs.replace(outcome, scored_at=NOW + timedelta(minutes=minute))


def call_event(*, call_id: str = "c1", tenant_id: str = "acme", minute: int = 0, number: int = 1) -> CallEvent:
    return CallEvent(event_id=str(uuid.UUID(int=number)), tenant_id=tenant_id, timestamp=NOW + timedelta(minutes=minute), call_id=call_id)


def felt(sentiment: float | None, source: str = "rule", *, topic: str | None = None) -> Annotation:
    return Annotation(sentiment=sentiment, sentiment_source=source if sentiment is not None else "none", topic=topic)


def quality(score: str | None = "80.00", *, model: str = "m1", at: datetime = NOW) -> Quality:
    return Quality(Decimal(score) if score else None, model, at)


def feeling(sentiment: float = 0.5, *, at: datetime = NOW, number: int = 1, topic: str | None = None) -> Feeling:
    return Feeling(sentiment, "rule", at, uuid.UUID(int=number), topic)


def sides(
    quality: Quality | None = None, feeling: Feeling | None = None, *, call_id: str = "c1", tenant_id: str = "acme", weight: Weight = WEIGHT
) -> CallSides:
    return CallSides(tenant_id, call_id, weight, quality, feeling)
