"""The labelled texts that topics are learned from, and which of them are held back (see SOURCE-topics.md)."""

from __future__ import annotations

import csv
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from voc_stream.nlp.words import words_of

LABELS = "topic_labels.toml"
SEEDS = "topic_seeds.toml"
# file, the columns of text and label
_FILES = {
    "banking77": ("banking77_train.csv", "text", "category"),
    "bitext": ("bitext_support.csv", "utterance", "intent"),
    "clinc150": ("clinc150_train.csv", "text", "label"),
}
_HELD_BACK_ONE_IN = 5


class Labelled(NamedTuple):
    """A text, the topic its label stands for, and where it is from."""

    text: str
    topic: str
    source: str
    label: str

    @property
    def held_back(self) -> bool:
        """Whether training must not see it: one text in five, by its words, so that copies of a text fall on one side."""
        digest = hashlib.sha256(" ".join(words_of(self.text)).encode()).digest()
        return digest[0] % _HELD_BACK_ONE_IN == 0


def read_sources(folder: Path) -> list[Labelled]:
    """Read the data sets out of a folder.

    Raises:
        FileNotFoundError: one of them is missing.
    """
    labels = tomllib.loads((files(__package__) / LABELS).read_text(encoding="utf-8"))
    return [row for source in _FILES for row in _rows(folder, source, labels[source])]


def read_seeds() -> list[Labelled]:
    """Read the project's own phrases."""
    seeds = tomllib.loads((files(__package__) / SEEDS).read_text(encoding="utf-8"))
    return [Labelled(text, topic, "seeds", topic) for topic, texts in seeds.items() for text in texts]


def _rows(folder: Path, source: str, topics: Mapping[str, list[str]]) -> Iterator[Labelled]:
    name, text, label = _FILES[source]
    topic_of = {label: topic for topic, labels in topics.items() for label in labels}
    with (folder / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            topic = topic_of.get(row[label], "other" if source == "clinc150" else "")
            if topic:
                yield Labelled(row[text], topic, source, row[label])
