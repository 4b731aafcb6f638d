"""Whether a recording can be scored at all, before any work is spent on its words.

The order is deliberate, the most useful reason first: a recording that was cut off may be whole at the next download, whatever is left
of it; one that is too short cannot be judged for anything else; silence, noise and one side alone are told apart last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voc_stream.scoring.listening import Heard

Reason = Literal["empty", "silent", "truncated", "one_sided", "not_speech", "too_short"]

SILENT_BELOW_DBFS = -60.0
# A header counts bytes exactly; another system's clock does not.
HEADER_MISSING_SHARE, HEADER_MISSING_SECONDS = 0.05, 1.0
EXPECTED_MISSING_SHARE, EXPECTED_MISSING_SECONDS = 0.20, 5.0
LEAST_SPEECH_SHARE, LEAST_SPEECH_SECONDS, ENOUGH_SPEECH_SECONDS = 0.01, 1.0, 10.0
ONE_SIDED_SHARE, ONE_SIDED_SECONDS = 0.02, 1.0


@dataclass(frozen=True, slots=True)
class NotScorable:
    """Why a call has no score, as a code and as a sentence for a person."""

    reason: Reason
    detail: str


def verdict(heard: Heard, *, expected_seconds: float | None, min_seconds: float) -> NotScorable | None:
    """The first reason that holds of: empty, truncated, too_short, silent, not_speech, one_sided; None if the call can be scored."""
    if heard.duration == 0:
        return NotScorable("empty", "The recording holds no audio.")
    return _truncated(heard, expected_seconds) or _too_little(heard, min_seconds) or _one_sided(heard)


def _truncated(heard: Heard, expected_seconds: float | None) -> NotScorable | None:
    promises = (
        (heard.promised_seconds, HEADER_MISSING_SHARE, HEADER_MISSING_SECONDS, "its header promises"),
        (expected_seconds, EXPECTED_MISSING_SHARE, EXPECTED_MISSING_SECONDS, "the call lasted"),
    )
    for promised, share, seconds, who in promises:
        if promised is not None and promised - heard.duration > max(share * promised, seconds):
            return NotScorable("truncated", f"The recording ends after {heard.duration:.1f} s, but {who} {promised:.1f} s.")
    return None


def _too_little(heard: Heard, min_seconds: float) -> NotScorable | None:
    if heard.duration < min_seconds:
        return NotScorable("too_short", f"The recording lasts {heard.duration:.1f} s; under {min_seconds:g} s there is nothing to judge.")
    if heard.loudest_dbfs < SILENT_BELOW_DBFS:
        return NotScorable("silent", f"The recording is silent: nothing in it is louder than {SILENT_BELOW_DBFS:g} dBFS.")
    spoken = sum(heard.speech_seconds.values())
    if spoken < min(ENOUGH_SPEECH_SECONDS, max(LEAST_SPEECH_SECONDS, LEAST_SPEECH_SHARE * heard.duration)):
        return NotScorable("not_speech", f"There is sound, but only {spoken:.1f} s of {heard.duration:.1f} s is speech: music, tones or noise.")
    return None


def _one_sided(heard: Heard) -> NotScorable | None:
    talk = heard.speech_seconds
    if len(talk) == 1:
        return None
    quiet = min(talk, key=lambda speaker: talk[speaker])
    if talk[quiet] >= max(ONE_SIDED_SECONDS, ONE_SIDED_SHARE * sum(talk.values())):
        return None
    return NotScorable("one_sided", f"Only one side is heard: the {quiet}'s channel has {talk[quiet]:.1f} s of speech.")
