"""What the page of one call draws: who speaks when, and where the two minutes went. Pure geometry, in parts of a hundred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voc_stream.services.reading_answers import Timeline, TurnShown

WHOLE = 100.0
# A word is seen, however short it is against an hour.
_LEAST_WIDTH = 0.15
_LANES = ("agent", "customer", "unknown")
# Of so many colours a stage takes its own.
STAGE_TONES = {"poll": 0, "dedup": 0, "enrich": 0, "download": 1, "score": 2, "export": 3}
_OTHER_TONE = 5


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a lane or a bar: where it begins and how wide it is, of `WHOLE`."""

    x: float
    width: float
    tone: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """A speaker's talk, and how many seconds of it there are."""

    speaker: str
    talk: tuple[Stretch, ...]
    seconds: float


def lanes(turns: Sequence[TurnShown], seconds: float) -> list[Lane]:
    """Return a lane for each speaker who says something.

    Args:
        turns: of the transcript.
        seconds: of the recording; a transcript that goes on longer makes it longer.
    """
    length = max([seconds, *(turn.end for turn in turns)], default=0.0)
    if length <= 0:
        return []
    speakers = [speaker for speaker in _LANES if any(_lane_of(turn) == speaker for turn in turns)]
    return [_lane(speaker, [turn for turn in turns if _lane_of(turn) == speaker], length) for speaker in speakers]


def _lane(speaker: str, turns: Sequence[TurnShown], length: float) -> Lane:
    talk = tuple(Stretch(_part(turn.start, length), max(_LEAST_WIDTH, _part(turn.end - turn.start, length))) for turn in turns)
    return Lane(speaker, talk, sum(turn.end - turn.start for turn in turns))


def _lane_of(turn: TurnShown) -> str:
    return turn.speaker if turn.speaker in _LANES else "unknown"


def spent(timeline: Timeline) -> list[Stretch]:
    """Return what each hop until the first result took of the two minutes; what is beyond them does not show."""
    parts: list[Stretch] = []
    for hop in timeline.hops:
        begin, end = max(0.0, hop.since_end - hop.delay), min(hop.since_end, timeline.budget)
        within = timeline.scored_after is None or hop.since_end <= timeline.scored_after
        if within and end > begin:
            parts.append(Stretch(_part(begin, timeline.budget), _part(end - begin, timeline.budget), STAGE_TONES.get(hop.stage, _OTHER_TONE)))
    return parts


def _part(seconds: float, length: float) -> float:
    return round(WHOLE * seconds / length, 3)
