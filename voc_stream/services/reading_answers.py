"""What readers are told of calls, alerts and what was searched: the answers of the API, and what the pages show (docs/api.md).

Times are UTC's. Scores are 0 to 100, sentiments -1 to 1, shares 0 to 1. `None` means that it is not known, or that there is none.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from voc_stream.stages.changes import Status

Speaker = Literal["agent", "customer", "unknown"]


class Answer(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True)


class CallRow(Answer):
    """A call as a list shows it."""

    call_id: str
    started_at: datetime
    ended_at: datetime
    seconds: float
    """How long it was."""
    agent_id: str
    agent_name: str | None = None
    skill: str
    service: str
    status: Status
    reason: str | None = None
    """Why it is where it is: the error, or why it cannot be scored."""
    score: float | None = None
    """Of the newest result."""
    sentiment: float | None = None
    """The customer's."""
    composite: float | None = None
    """Of score and sentiment (docs/composite.md)."""
    topic: str | None = None


class CallsPage(Answer):
    """A page of calls."""

    calls: list[CallRow]
    next: str | None = None
    """The `cursor` of the next page; None on the last one."""


class EvidenceShown(Answer):
    """Where in the recording an item's points come from."""

    quote: str
    start: float
    """Seconds from the start of the recording."""
    end: float
    speaker: str


class ItemShown(Answer):
    """An item of the score card."""

    item: str
    points: float
    max_points: float
    applicable: bool
    """False: it did not come up in this call and counts neither way."""
    detail: str
    evidence: list[EvidenceShown]


class ScoreCard(Answer):
    """A call's newest result, or why it has no score."""

    outcome: Literal["SCORED", "NOT_SCORABLE"]
    score: float | None
    reason: str | None
    detail: str | None
    model_version: str
    asr_model: str
    scored_at: datetime
    latency_ms: int
    breakdown: list[ItemShown]


class Version(Answer):
    """What one model said of a call; the newest comes first."""

    model_version: str
    asr_model: str
    outcome: Literal["SCORED", "NOT_SCORABLE"]
    score: float | None
    scored_at: datetime


class Felt(Answer):
    """The customer's sentiment, as the newest event told it."""

    sentiment: float
    source: str
    heard_at: datetime


class Composed(Answer):
    """The composite score of quality and sentiment."""

    composite: float
    weight: float
    """Of the quality; the rest is the sentiment's."""


class TurnShown(Answer):
    """A stretch of speech by one speaker."""

    speaker: str
    start: float
    """Seconds from the start of the recording."""
    end: float
    text: str


class TranscriptShown(Answer):
    """What was said."""

    language: str
    original: bool
    """False: what could be personal is replaced."""
    turns: list[TurnShown]


class RecordingShown(Answer):
    """A call's recording, which `/calls/{call_id}/audio` serves."""

    seconds: float
    codec: str
    sample_rate: int
    channels: int
    size_bytes: int
    sha256: str


class Segment(Answer):
    """A part of the same conversation: transfers and holds cut a call into segments."""

    call_id: str
    started_at: datetime
    ended_at: datetime
    agent_id: str
    status: Status
    score: float | None = None


class CallShown(Answer):
    """One call with all that is known of it."""

    call: CallRow
    switch_call_id: str | None
    """What its conversation's segments have in common."""
    score_card: ScoreCard | None
    versions: list[Version]
    felt: Felt | None
    composed: Composed | None
    recording: RecordingShown | None
    transcript: TranscriptShown | None
    transcript_trouble: str | None
    """Why it cannot be shown although there is one."""
    segments: list[Segment]
    """All segments of its conversation in order, this one among them; only this one where there was no transfer."""


class Hop(Answer):
    """Something that happened to a call in a stage."""

    at: datetime
    stage: str
    what: str
    attempt: int
    topic: str | None
    """With partition and offset: the record that caused it, where one did."""
    partition: int | None
    offset: int | None
    trace_id: str | None = None
    """The trace in which it happened, where that is recorded (docs/tracing.md)."""
    since_end: float
    """Seconds since the call's end."""
    delay: float
    """Seconds since the hop before, or since the call's end."""
    share: float | None
    """Seconds of the two minutes that this stage may take; None for what is no part of them."""
    late: bool
    """It took longer than its share."""
    failed: bool
    reason: str | None
    """Why it was late or failed."""


class Timeline(Answer):
    """What happened to a call, in order of time."""

    call_id: str
    started_at: datetime
    ended_at: datetime
    status: Status
    reason: str | None
    hops: list[Hop]
    scored_after: float | None
    """Seconds from the call's end to its first result."""
    budget: float
    """Seconds that this may take."""
    on_time: bool | None
    """None while it is not scored and may still be on time."""


class AlertShown(Answer):
    """An episode: from when a rule's bound was passed until it was so no more."""

    alert_id: uuid.UUID
    rule: str
    metric: Literal["mean_sentiment", "complaint_share"]
    window_minutes: int
    state: Literal["raised", "cleared"]
    raised_at: datetime
    raised_value: float
    raised_count: int
    """Events that the value is made of."""
    cleared_at: datetime | None
    cleared_cause: Literal["data", "rule_removed"] | None
    cleared_value: float | None
    cleared_count: int | None


class AlertsPage(Answer):
    """A page of alerts, the newest first."""

    alerts: list[AlertShown]
    next: str | None = None
    """The `cursor` of the next page; None on the last one."""


class Part(Answer):
    """A piece of a text."""

    text: str
    hit: bool
    """It is what was looked for: to be marked."""


class Snippet(Answer):
    """A turn, or a piece of one, in which it was found."""

    speaker: str | None
    start: float | None
    """Seconds from the start of the recording, where they are known."""
    parts: list[Part]
    """In order; joined they are the text, which may hold anything: escape it."""


class Hit(Answer):
    """A transcript in which it was found."""

    call_id: str
    at: datetime
    agent_id: str
    topic: str | None
    sentiment: float | None
    known: bool
    """Whether the call itself is there to be opened, and not only its transcript."""
    snippets: list[Snippet]


class SearchPage(Answer):
    """A page of what was found, the newest first."""

    words: list[str]
    """What was looked for, as it was understood."""
    hits: list[Hit]
    next: str | None = Field(default=None)
    """The `cursor` of the next page; None on the last one."""
