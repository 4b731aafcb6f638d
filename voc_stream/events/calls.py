"""The values of the calls pipeline's topics (spec section 1), in the order in which a call passes them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from voc_stream.events.base import AgentId, Aware, CallId, Skill, TenantId, Wire, must_be_time

UNASSIGNED = "unassigned"

Seconds = Annotated[float, msgspec.Meta(ge=0, le=99_999_999)]
# Both databases count in 64 bits at most.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class CallRecord(Wire, frozen=True, kw_only=True):
    """What every value about a call says of it."""

    call_id: CallId
    tenant_id: TenantId
    started_at: Aware
    ended_at: Aware

    def __post_init__(self) -> None:
        """Refuse times that cannot be."""
        super().__post_init__()
        must_be_time("started_at", self.started_at)
        must_be_time("ended_at", self.ended_at)


class RawCall(CallRecord, frozen=True, kw_only=True):
    """A recorded segment as the recorder told it: `calls.polled` and, once per call_id, `calls.raw`.

    Times carry the recorder's offset. `sealed_udfs` is the recorder's free-text customer data, encrypted before it enters Kafka.
    """

    raw_agent: Annotated[str, msgspec.Meta(max_length=256)] = ""
    other_parties: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    skill: Annotated[str, msgspec.Meta(max_length=256)] = ""
    service: Annotated[str, msgspec.Meta(max_length=256)] = ""
    switch_call_id: Annotated[str, msgspec.Meta(max_length=128)] = ""
    sealed_udfs: str = ""


class EnrichedCall(CallRecord, frozen=True, kw_only=True):
    """A call with UTC times, its agent and its tenant: `calls.enriched`."""

    agent_id: AgentId = ""
    skill: Skill = ""
    service: Skill = ""
    switch_call_id: Annotated[str, msgspec.Meta(max_length=128)] = ""
    metadata_version: Annotated[int, msgspec.Meta(ge=1)] = 1


class AudioReady(CallRecord, frozen=True, kw_only=True):
    """A recording in S3: `audio.ready`. `duration` is what the stream held, in seconds, not what its header promised."""

    s3_key: str
    sha256: Sha256
    codec: str
    duration: Seconds
    sample_rate: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    channels: Annotated[int, msgspec.Meta(ge=0, le=2**15 - 1)]
    size_bytes: Count
    ingest_delay_ms: Count
    agent_id: AgentId = ""
    skill: Skill = ""
    service: Skill = ""
    switch_call_id: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Where in the call an item's points come from: a quote and its seconds."""

    quote: str = ""
    start: float
    end: float
    speaker: str = "unknown"


class BreakdownItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the rubric: its points of its maximum, or not applicable."""

    item: str
    points: float
    max_points: float
    applicable: bool
    detail: str = ""
    evidence: tuple[Evidence, ...] = ()


ScoreOutcome = Literal["SCORED", "NOT_SCORABLE"]


class ScoringResult(CallRecord, frozen=True, kw_only=True):
    """A call's score, or why it has none: `scoring.results`. The transcript lies in S3 under `transcript_key`."""

    outcome: ScoreOutcome
    score: Annotated[float, msgspec.Meta(ge=0, le=100)] | None
    reason: str | None = None
    detail: str | None = None
    model_version: str
    asr_model: str
    latency_ms: Count
    breakdown: tuple[BreakdownItem, ...] = ()
    transcript_key: str | None = None
    scored_at: Aware
    duration: Seconds
    talk_seconds: Seconds = 0.0
    agent_id: AgentId = ""
    skill: Skill = ""
    service: Skill = ""
    switch_call_id: str = ""


class Turn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stretch of speech by one speaker; `start` and `end` are seconds from the start of the recording."""

    speaker: str
    start: float
    end: float
    text: str


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """What was said, in time order across channels."""

    language: str = "en"
    turns: tuple[Turn, ...] = ()


class ModelVersionUpdated(Wire, frozen=True, kw_only=True):
    """A scoring model was replaced: `model.version.updated`."""

    model_version: str
    reason: str = ""
    scope: str = "all"
