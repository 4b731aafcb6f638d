"""What was heard in a call, as the rubric reads it: who spoke when, and which words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Speaker = Literal["agent", "customer", "unknown"]

# A speaker who pauses longer has begun something new; shorter pauses within one turn are breath.
_TURN_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the call, in seconds from its start."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written in the transcript, with its place in the call."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said without a long pause or another one's turn in between."""

    speaker: Speaker
    words: tuple[Word, ...]

    @property
    def start(self) -> float:
        """When its first word starts."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """When its last word ends."""
        return self.words[-1].end

    @property
    def text(self) -> str:
        """Its words, as a reader wants them."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Mood:
    """One sentence of the customer and its sentiment, -1 to 1."""

    quote: str
    start: float
    end: float
    score: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """A call: ``talk`` has the speech of each speaker (``unknown`` alone where the channels are mixed), ``turns`` are in order of time."""

    duration: float
    talk: Mapping[Speaker, tuple[Span, ...]]
    turns: tuple[Turn, ...] = ()
    moods: tuple[Mood, ...] = ()
    transcribed: bool = False

    @property
    def has_speakers(self) -> bool:
        """Whether the speakers can be told apart."""
        return "agent" in self.talk

    def talk_seconds(self, speaker: Speaker) -> float:
        """How long a speaker speaks in all."""
        return sum(span.seconds for span in self.talk.get(speaker, ()))

    def turns_of(self, *speakers: Speaker) -> Iterator[Turn]:
        """The turns of these speakers, in order."""
        return (turn for turn in self.turns if turn.speaker in speakers)


def build_turns(words: Mapping[Speaker, Iterable[Word]]) -> tuple[Turn, ...]:
    """Merge the speakers' words into turns in order of time."""
    phrases = [phrase for speaker, spoken in words.items() for phrase in _phrases(speaker, tuple(sorted(spoken, key=lambda word: word.start)))]
    phrases.sort(key=lambda phrase: phrase.start)
    turns: list[Turn] = []
    for phrase in phrases:
        if turns and turns[-1].speaker == phrase.speaker and phrase.start - turns[-1].end < 2 * _TURN_PAUSE:
            turns[-1] = Turn(phrase.speaker, turns[-1].words + phrase.words)
        else:
            turns.append(phrase)
    return tuple(turns)


def _phrases(speaker: Speaker, words: tuple[Word, ...]) -> Iterator[Turn]:
    if not words:
        return
    first = 0
    for at, (before, after) in enumerate(pairwise(words), start=1):
        if after.start - before.end > _TURN_PAUSE:
            yield Turn(speaker, words[first:at])
            first = at
    yield Turn(speaker, words[first:])
