"""The rubric: which items are judged, for how many points, and where their limits lie; read from a YAML file that people can read, too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

PACKAGED = Path(__file__).with_name("rubric.yaml")
_LARGEST_FILE = 256 * 1024

NotNegative = Annotated[float, Field(ge=0)]
Phrases = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
Limits = tuple[NotNegative, NotNegative]


class RubricError(Exception):
    """The rubric's file is not usable; one line names what is wrong."""


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    points: PositiveFloat


class Greeting(_Item):
    """The agent greets within the first seconds."""

    item: Literal["greeting"]
    within_seconds: PositiveFloat
    phrases: Phrases


class Identification(_Item):
    """The agent gives a name and the company's."""

    item: Literal["identification"]
    within_seconds: PositiveFloat
    name_phrases: Phrases
    company_phrases: Phrases


class Courtesy(_Item):
    """Courtesy words by the minute of the agent's speech."""

    item: Literal["courtesy"]
    full_at_per_minute: PositiveFloat
    zero_at_per_minute: NotNegative
    phrases: Phrases


class _Band(_Item):
    """Full points inside one band, none outside another, in proportion between them."""

    full_between: Limits
    zero_outside: Limits

    @model_validator(mode="after")
    def _nested(self) -> Self:
        low, high = self.full_between
        bottom, top = self.zero_outside
        if not bottom < low <= high < top:
            msg = "full_between must lie inside zero_outside"
            raise ValueError(msg)
        return self


class TalkShare(_Band):
    """The agent's share of all speech, 0 to 1."""

    item: Literal["talk_share"]


class SpeakingRate(_Band):
    """The agent's words a minute."""

    item: Literal["speaking_rate"]
    least_words: PositiveInt


class DeadAir(_Item):
    """The share of the call in which nobody speaks."""

    item: Literal["dead_air"]
    ignore_seconds: NotNegative
    full_at_share: NotNegative
    zero_at_share: PositiveFloat


class Interruptions(_Item):
    """How often the agent speaks into the customer's speech."""

    item: Literal["interruptions"]
    overlap_seconds: PositiveFloat
    least_seconds: PositiveFloat
    full_at_per_minute: NotNegative
    zero_at_per_minute: PositiveFloat


class CustomerSentiment(_Item):
    """How the customer feels at the end, and against the start."""

    item: Literal["customer_sentiment"]
    least_sentences: PositiveInt
    zero_at: float
    full_at: float


class Closing(_Item):
    """The agent closes the call."""

    item: Literal["closing"]
    within_seconds: PositiveFloat
    phrases: Phrases


class Compliance(_Item):
    """Somebody says that the call is recorded."""

    item: Literal["compliance"]
    within_seconds: PositiveFloat
    phrases: Phrases


Item = Annotated[
    Greeting | Identification | Courtesy | TalkShare | DeadAir | Interruptions | SpeakingRate | CustomerSentiment | Closing | Compliance,
    Field(discriminator="item"),
]


class Rubric(BaseModel):
    """All items of one version. The points sum to 100; no item comes twice; ``dead_air`` is among them, as it applies to every call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")
    items: tuple[Item, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [item.item for item in self.items]
        twice = sorted({name for name in names if names.count(name) > 1})
        total = sum(item.points for item in self.items)
        rules = (
            (bool(twice), f"item {', '.join(twice)} comes more than once"),
            (abs(total - 100) > 1e-6, f"the points sum to {total:g}, not to 100"),
            ("dead_air" not in names, "item dead_air is missing: it is the only one that every call can be judged on"),
        )
        for broken, message in rules:
            if broken:
                raise ValueError(message)
        return self


def load_rubric(path: Path | None = None) -> Rubric:
    """Read the rubric of ``path``, or the packaged one.

    Raises:
        RubricError: one line with the file, the place in it and what is wrong there.
    """
    file = path or PACKAGED
    try:
        with file.open(encoding="utf-8") as opened:
            content = yaml.safe_load(opened.read(_LARGEST_FILE))
        return Rubric.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        msg = f"{file}: {_place(first['loc'], content)}{first['msg'].removeprefix('Value error, ')}"
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file}: cannot be read ({type(error).__name__})"
    except yaml.YAMLError as error:
        msg = f"{file}: not YAML: {' '.join(str(error).split())}"
    raise RubricError(msg)


def _place(loc: Iterable[str | int], content: object) -> str:
    parts = list(loc)
    if not parts:
        return ""
    if parts[0] == "items" and len(parts) > 1 and isinstance(parts[1], int) and isinstance(content, dict):
        entry = content["items"][parts[1]]
        name = entry.get("item", parts[1] + 1) if isinstance(entry, dict) else parts[1] + 1
        return ".".join(["item " + str(name), *(str(part) for part in parts[2:] if part != name)]) + ": "
    return ".".join(str(part) for part in parts) + ": "
