"""What an item of the rubric answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from voc_stream.scoring.conversation import Conversation, Speaker
from voc_stream.scoring.phrases import Found

MOST_EVIDENCE = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """A place in the call that a person can go and listen to; the quote is empty where nothing is said."""

    quote: str
    start: float
    end: float
    speaker: Speaker

    @classmethod
    def of(cls, found: Found) -> Self:
        """The place where a phrase was said."""
        return cls(found.quote, found.start, found.end, found.speaker)


@dataclass(frozen=True, slots=True)
class Judgement:
    """``share`` of the item's points, 0 to 1; None where the recording cannot tell."""

    share: float | None
    detail: str
    evidence: tuple[Evidence, ...] = ()


def ramp(value: float, *, zero_at: float, full_at: float) -> float:
    """0 at and beyond ``zero_at``, 1 at and beyond ``full_at``, in proportion between; either may be the larger."""
    if zero_at == full_at:
        return float(value >= full_at)
    return min(1.0, max(0.0, (value - zero_at) / (full_at - zero_at)))


def band(value: float, *, full: tuple[float, float], zero: tuple[float, float]) -> float:
    """1 inside ``full``, 0 outside ``zero``, in proportion between."""
    return min(ramp(value, zero_at=zero[0], full_at=full[0]), ramp(value, zero_at=zero[1], full_at=full[1]))


def cannot_tell(conversation: Conversation, *, words: bool, speakers: bool) -> Judgement | None:
    """The judgement of an item that needs what this recording has not; None if it has all."""
    if words and not conversation.transcribed:
        return Judgement(None, "Not applicable: the service runs without speech recognition.")
    if speakers and not conversation.has_speakers:
        return Judgement(None, "Not applicable: agent and customer are mixed in one channel.")
    return None
