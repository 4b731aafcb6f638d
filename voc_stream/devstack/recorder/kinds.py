"""The kinds of calls that the simulator can make, and the final state that each should reach (spec §2 steps 4 and 5)."""

from dataclasses import dataclass
from typing import Literal

Content = Literal["dialogue", "one_sided", "truncated", "repeated", "silence", "noise", "music", "tone", "text", "empty"]

SCORED = "scored"
MISSING = "missing"
DEAD_LETTER = "dead_letter"
ANY = "any"
"""For recordings from a folder: nobody told us what is in them."""


def not_scorable(reason: str) -> str:
    """The expected outcome NOT_SCORABLE for a reason of the scoring contract."""
    return f"not_scorable:{reason}"


@dataclass(frozen=True, slots=True)
class BuiltInFault:
    """A fault that a call of this kind carries from its birth; `times` None is for ever. See `faults.Fault`."""

    kind: Literal["missing", "break", "error"]
    times: int | None = None
    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """What a call of the kind sounds like, how it is stored, and what becomes of it.

    Attributes:
        expected: scored, not_scorable:<reason>, missing, dead_letter or any.
        content: what is recorded.
        format: a key of `formats.FORMATS`.
        channels: 2 is agent left and customer right.
        seconds: length where no dialogue gives one.
        dialogues: the only dialogues that fit; empty: any of one segment.
        fault: how the recorder fails on it.
        late: seconds after the hang-up until searches show it.
    """

    expected: str = SCORED
    content: Content = "dialogue"
    format: str = "pcm16"
    channels: int = 2
    seconds: float = 40.0
    dialogues: tuple[str, ...] = ()
    fault: BuiltInFault | None = None
    late: float = 0.0


KINDS: dict[str, Kind] = {
    # scored: the formats
    "stereo": Kind(),
    "mono": Kind(channels=1),
    "pcm8": Kind(format="pcm8"),
    "mulaw": Kind(format="mulaw"),
    "alaw": Kind(format="alaw"),
    "gsm": Kind(format="gsm", channels=1),
    "mp3": Kind(format="mp3"),
    "opus": Kind(format="opus"),
    # scored: the ways of a call
    "transfer": Kind(dialogues=("technical_transfer",)),
    "hold": Kind(dialogues=("cancellation_held",)),
    "two_hours": Kind(content="repeated", channels=1, seconds=7200.0),
    "late": Kind(late=45.0),
    "missing_first": Kind(fault=BuiltInFault("missing", times=2)),
    "breaks_first": Kind(fault=BuiltInFault("break", times=2, after_bytes=20_000)),
    # never scored
    "silent": Kind(not_scorable("silent"), "silence"),
    "empty": Kind(not_scorable("empty"), "empty", channels=0),
    "truncated": Kind(not_scorable("truncated"), "truncated"),
    "one_sided": Kind(not_scorable("one_sided"), "one_sided"),
    "hold_music": Kind(not_scorable("not_speech"), "music", channels=1),
    "noise": Kind(not_scorable("not_speech"), "noise"),
    "tone": Kind(not_scorable("not_speech"), "tone", channels=1),
    "short": Kind(not_scorable("too_short"), dialogues=("hello_only",), channels=1),
    "missing": Kind(MISSING, fault=BuiltInFault("missing")),
    "text": Kind(DEAD_LETTER, "text", channels=0),
    "breaks": Kind(DEAD_LETTER, fault=BuiltInFault("break", after_bytes=20_000)),
    "fails": Kind(DEAD_LETTER, fault=BuiltInFault("error")),
}
