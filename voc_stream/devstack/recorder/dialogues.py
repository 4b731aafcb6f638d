"""The written dialogues (dialogues.yaml): who says what, and where the recorder cuts a call into segments."""

import functools
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

import yaml

Speaker = Literal["agent", "customer"]

VARIANTS = 4
"""How many versions of each dialogue there are: other names, amounts, voices and pauses. Few, so that the made recordings stay a bounded set."""

_TRANSFER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance. `pause` is the silence before it, in seconds, beyond the usual; `interrupts` means that it begins too early."""

    speaker: Speaker
    text: str
    interrupts: bool = False
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Segment:
    """What the recorder keeps under one inum.

    `gap` is the time since the segment before it ended, in seconds; `new_agent` tells a transfer from a hold.
    """

    skill: str
    turns: tuple[Turn, ...]
    gap: int = 0
    new_agent: bool = False


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A whole conversation, of one segment or, when it is transferred or held, of two."""

    name: str
    topic: str
    mood: str
    good_agent: bool
    segments: tuple[Segment, ...]


@functools.cache
def _written() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("dialogues.yaml").read_text(encoding="utf-8")
    written: dict[str, Any] = yaml.safe_load(text)
    return written


def _segments(skill: str, entries: list[dict[str, Any]]) -> tuple[Segment, ...]:
    done: list[Segment] = []
    turns: list[Turn] = []
    current = Segment(skill, ())
    pause = 0.0
    for entry in entries:
        if "pause" in entry:
            pause += float(entry["pause"])
        elif "hold" in entry or "transfer" in entry:
            done.append(replace(current, turns=tuple(turns)))
            current = Segment(entry.get("transfer", skill), (), gap=int(entry.get("hold", _TRANSFER_SECONDS)), new_agent="transfer" in entry)
            turns = []
        else:
            speaker: Speaker = "agent" if "agent" in entry else "customer"
            turns.append(Turn(speaker, str(entry[speaker]), bool(entry.get("interrupts", False)), pause))
            pause = 0.0
    return (*done, replace(current, turns=tuple(turns)))


@functools.cache
def load() -> dict[str, Dialogue]:
    """Every written dialogue by its name, in the order of the file."""
    return {
        name: Dialogue(name, entry["topic"], entry["mood"], entry["agent"] == "good", _segments(entry["skill"], entry["turns"]))
        for name, entry in _written()["dialogues"].items()
    }


def fill(turns: tuple[Turn, ...], variant: int, segment: int) -> tuple[Turn, ...]:
    """Put the names, numbers and days of a variant into the words; an agent of a later segment has another name."""
    words = {key: values[variant % len(values)] for key, values in _written()["variants"].items()}
    agents = _written()["variants"]["agent"]
    words["agent"] = agents[(variant + segment) % len(agents)]
    return tuple(Turn(turn.speaker, turn.text.format(**words), turn.interrupts, turn.pause) for turn in turns)
