"""What goes over the wire: the metadata of a request and the answer to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from voc_stream.scoring.conversation import Speaker
from voc_stream.scoring.errors import InvalidMetadataError
from voc_stream.scoring.verdict import Reason

MOST_IN_A_BATCH = 64


class CallMetadata(BaseModel):
    """The metadata part of one call. Fields that are not known here are ignored."""

    model_config = ConfigDict(frozen=True)

    call_id: str = Field(min_length=1, max_length=64)
    tenant_id: str = Field(min_length=1, max_length=128)
    expected_seconds: Annotated[FiniteFloat, Field(ge=0)] | None = None


class BatchMetadata(BaseModel):
    """The metadata part of a batch; each call is validated by itself, so that a bad one does not spoil the others."""

    calls: list[Any] = Field(min_length=1, max_length=MOST_IN_A_BATCH)


class EvidenceOut(BaseModel):
    """A place in the call, seconds from its start."""

    quote: str
    start: float
    end: float
    speaker: Speaker


class ItemOut(BaseModel):
    """One item of the rubric, judged."""

    item: str
    points: float
    max_points: float
    applicable: bool
    detail: str
    evidence: list[EvidenceOut]


class TurnOut(BaseModel):
    """A turn of the transcript, seconds from the call's start."""

    speaker: Speaker
    start: float
    end: float
    text: str


class TranscriptOut(BaseModel):
    """What was said, in order of time."""

    language: str
    turns: list[TurnOut]


class AudioOut(BaseModel):
    """What the recording is. Seconds, Hz."""

    codec: str | None
    duration: float
    sample_rate: int | None
    channels: int | None
    talk_seconds: dict[Speaker, float]


class ScoreOut(BaseModel):
    """The answer for one call."""

    call_id: str
    outcome: Literal["SCORED", "NOT_SCORABLE"]
    reason: Reason | None = None
    detail: str | None = None
    score: float | None = None
    model_version: str
    asr_model: str
    breakdown: list[ItemOut] = []
    transcript: TranscriptOut | None = None
    audio: AudioOut
    latency_ms: int = 0


def parse_metadata(text: bytes) -> CallMetadata:
    """Read a metadata part.

    Raises:
        InvalidMetadataError: with the field at fault, never its value.
    """
    try:
        return CallMetadata.model_validate_json(text)
    except ValidationError as error:
        raise _refusal(error) from None


def parse_batch(text: bytes) -> list[tuple[str | None, CallMetadata | InvalidMetadataError]]:
    """Read the metadata part of a batch: for each call its id, if it has one, and its metadata, or what is wrong with them.

    Raises:
        InvalidMetadataError: it is no batch.
    """
    try:
        entries = BatchMetadata.model_validate_json(text).calls
    except ValidationError as error:
        raise _refusal(error) from None
    return [(_call_id(entry), _one(entry)) for entry in entries]


def _one(entry: object) -> CallMetadata | InvalidMetadataError:
    try:
        return CallMetadata.model_validate(entry)
    except ValidationError as error:
        return _refusal(error)


def _call_id(entry: object) -> str | None:
    found = entry.get("call_id") if isinstance(entry, dict) else None
    return found[:64] if isinstance(found, str) else None


def _refusal(error: ValidationError) -> InvalidMetadataError:
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return InvalidMetadataError(f"The metadata are not valid: {name + ': ' if name else ''}{first['msg']}.")
