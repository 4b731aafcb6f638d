"""What goes to the scoring service and what comes back (spec section 2.5)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from voc_stream.events.calls import BreakdownItem, ScoreOutcome, Transcript

Reason = Literal["empty", "silent", "truncated", "one_sided", "not_speech", "too_short"]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class ScoreRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A call to score. `expected_seconds` is how long the call was by the recorder's word: a recording much shorter was truncated."""

    call_id: str
    tenant_id: str
    expected_seconds: float | None = None


class ScoredAudio(msgspec.Struct, frozen=True, kw_only=True):
    """What the scorer heard; `talk_seconds` by speaker. None where there was nothing to read it from."""

    codec: str | None = None
    duration: _Seconds = 0.0
    sample_rate: _Count | None = None
    channels: _Count | None = None
    talk_seconds: dict[str, _Seconds] = {}


class ScoreReply(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one call: a score, or the reason why there is none, never both and never neither."""

    call_id: str
    outcome: ScoreOutcome
    reason: Reason | None = None
    detail: str | None = None
    score: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    model_version: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    asr_model: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    breakdown: tuple[BreakdownItem, ...] = ()
    transcript: Transcript | None = None
    audio: ScoredAudio = ScoredAudio()
    latency_ms: _Count = 0

    def __post_init__(self) -> None:
        """Refuse a verdict that contradicts itself."""
        scored = self.outcome == "SCORED"
        if scored != (self.score is not None) or scored == (self.reason is not None):
            msg = "a scored call has a score and no reason, any other a reason and no score"
            raise ValueError(msg)


class ItemFault(msgspec.Struct, frozen=True, kw_only=True):
    """Why one call of a batch was not judged."""

    status: int
    code: str = ""
    detail: str = ""


class BatchItem(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a batch, looked at for its error only."""

    call_id: str
    error: ItemFault | None = None


class BatchReply(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a batch, in the order of its calls."""

    results: tuple[msgspec.Raw, ...]


class ServiceError(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer that is not a success."""

    error: str = ""
    detail: str = ""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What the service scores with, of `GET /v1/model`."""

    model_version: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
