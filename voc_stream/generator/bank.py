"""The sentences of sentences.toml, with numbers filled in."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Mood = Literal["negative", "neutral", "positive"]
Speaker = Literal["agent", "customer"]

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
# Of each sentence with a number in it so many variants are made once.
_VARIANTS = 40


@dataclass(frozen=True, slots=True)
class Bank:
    """Sentences ready to be said.

    Attributes:
        topics: by topic and kind: request, detail, agent, and the moods negative and positive.
        moods: by mood, whatever the topic.
        agent: opening and closing of the agent.
    """

    topics: Mapping[str, Mapping[str, Sequence[str]]]
    moods: Mapping[str, Sequence[str]]
    agent: Mapping[str, Sequence[str]]


@cache
def bank() -> Bank:
    """Read the sentences; they are the same in every process."""
    data = tomllib.loads((files(__package__) / "sentences.toml").read_text())
    rng = random.Random(1)  # noqa: S311 - not a secret
    topics = {topic: {kind: _filled(sentences, rng) for kind, sentences in kinds.items()} for topic, kinds in data["topics"].items()}
    return Bank(topics, data["moods"], data["agent"])


def conversation(rng: random.Random, topic: str, mood: Mood) -> list[tuple[Speaker, str]]:
    """Return a short call: who says what, in order; about fifty words."""
    lines, common = bank().topics[topic], bank()
    pick = rng.choice
    said: list[tuple[Speaker, str]] = [("agent", pick(common.agent["opening"])), ("customer", pick(lines["request"]))]
    if rng.random() < 0.5:
        said.append(("customer", pick(lines["detail"])))
    if mood != "neutral" and rng.random() < 0.6:
        said.append(("customer", pick(lines[mood])))
    said += (("agent", pick(lines["agent"])), ("customer", pick(common.moods[mood])))
    if rng.random() < 0.3:
        said.append(("agent", pick(common.agent["closing"])))
    return said


def _filled(sentences: Sequence[str], rng: random.Random) -> list[str]:
    return [_with_numbers(sentence, rng) for sentence in sentences for _ in range(_VARIANTS)]


def _with_numbers(sentence: str, rng: random.Random) -> str:
    amount, number, days = rng.randrange(5, 400), rng.randrange(10_000, 99_999), rng.randrange(2, 15)
    return sentence.format(amount=amount, number=number, days=days, day=rng.choice(_DAYS))
