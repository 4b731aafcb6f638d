"""Train the topic head anew: `python -m voc_stream.nlp.train_topics FOLDER` writes `topics.npz`; the same data give the same file.

Needs the group `train` (scikit-learn). One text in five is held back by its hash and never trained on; `--held-back FILE.csv` writes those,
for `faust -A voc_stream evaluate topics FILE.csv`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voc_stream.nlp.topic_head import WEIGHTS
from voc_stream.nlp.topic_sources import Labelled, read_seeds, read_sources

VERSION = "tfidf-1"
CLASSES = ("account", "agent", "billing", "cancellation", "delivery", "other", "technical")
SEEN_AT_LEAST = 3
MOST_WORDS = 6_000
MOST_PAIRS = 16_000
STRENGTH = 12.0
# Calls are longer than questions: some of the training texts are several of one topic, joined, between the courtesies of a call.
JOINED = 6_000
# Our own phrases are few: each counts as so many texts.
SEED_WEIGHT = 8
_COURTESIES = frozenset({"greeting", "goodbye", "yes", "no", "maybe", "repeat", "thank_you", "what_is_your_name"})

# As the reader of texts has it (voc_stream.nlp.reading), without the smileys.
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")

Grams = list[str]


def grams_of(text: str) -> Grams:
    """Return the words and the pairs of a text, each occurrence."""
    words = _WORD.findall(text.lower().replace("\u2019", "'"))
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def joined(rows: Sequence[Labelled], count: int, seed: int) -> list[tuple[str, str]]:
    """Texts of about a call's length with their topic, made of `rows`."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, no secret
    courtesies = [row.text for row in rows if row.label in _COURTESIES]
    by_topic: dict[str, list[str]] = {}
    for row in rows:
        by_topic.setdefault(row.topic, []).append(row.text)
    texts = []
    for at in range(count):
        topic = CLASSES[at % len(CLASSES)]
        parts = rng.choices(by_topic[topic], k=rng.randint(2, 10)) + rng.choices(courtesies, k=rng.randint(1, 5))
        rng.shuffle(parts)
        texts.append((". ".join(parts), topic))
    return texts


def train(rows: Iterable[Labelled]) -> dict[str, NDArray[Any]]:
    """Fit the head on `rows`, and return the arrays of a weights file."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    rows = [row for row in rows if row.topic in CLASSES or row.label in _COURTESIES] + SEED_WEIGHT * read_seeds()
    texts = [(row.text, row.topic) for row in rows if row.topic in CLASSES] + joined(rows, JOINED, seed=7)
    documents = [grams_of(text) for text, _ in texts]
    words, pairs, seen = _vocabulary(documents)
    place = {gram: at for at, gram in enumerate([*words, *(" ".join(pair) for pair in pairs)])}
    idf = np.array([np.log((1 + len(documents)) / (1 + seen[gram])) + 1 for gram in place], np.float32).astype(np.float16)
    found = [[place[gram] for gram in grams if gram in place] for grams in documents]
    squared = idf.astype(np.float32) ** 2
    data = [idf[at] / np.sqrt(squared[row].sum()) for row in found for at in row]
    bounds = np.cumsum([0, *map(len, found)])
    matrix = csr_matrix((np.array(data, np.float64), np.concatenate(found).astype(np.int64), bounds), shape=(len(found), len(place)))
    model = LogisticRegression(C=STRENGTH, max_iter=400, tol=1e-4).fit(matrix, [topic for _, topic in texts])
    if tuple(model.classes_) != CLASSES:
        raise ValueError("the training texts do not cover the topics")
    row_of = {word: at for at, word in enumerate(words)}
    return {
        "about": np.frombuffer(json.dumps({"version": VERSION, "classes": CLASSES}).encode(), np.uint8),
        "words": np.frombuffer("\n".join(words).encode(), np.uint8),
        "pairs": np.array([(row_of[first], row_of[second]) for first, second in pairs], np.uint16),
        "idf": idf,
        "weights": model.coef_.T.astype(np.float16),
        "bias": model.intercept_.astype(np.float32),
    }


def _vocabulary(documents: Sequence[Grams]) -> tuple[list[str], list[tuple[str, str]], Counter[str]]:
    """The most frequent words, and of their pairs the most frequent, with the number of documents each is in."""
    seen: Counter[str] = Counter(gram for grams in documents for gram in set(grams))
    frequent = [gram for gram, count in sorted(seen.items(), key=lambda item: (-item[1], item[0])) if count >= SEEN_AT_LEAST]
    words = [gram for gram in frequent if " " not in gram][:MOST_WORDS]
    kept = set(words)
    pairs = [(first, second) for first, second in (gram.split(" ") for gram in frequent if " " in gram) if first in kept and second in kept]
    return sorted(words), sorted(pairs[:MOST_PAIRS]), seen


def main() -> None:
    """Read the arguments, train, write."""
    parser = argparse.ArgumentParser(description="Train the topic head anew.")
    parser.add_argument("folder", type=Path, help="holds banking77_train.csv, bitext_support.csv and clinc150_train.csv")
    parser.add_argument("--held-back", type=Path, metavar="FILE.csv", help="write the held-back texts (text,label) instead of training")
    arguments = parser.parse_args()
    rows = read_sources(arguments.folder)
    if arguments.held_back:
        with arguments.held_back.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([("text", "label"), *((row.text, row.topic) for row in rows if row.held_back)])
        return
    arrays: dict[str, Any] = train(row for row in rows if not row.held_back)
    np.savez_compressed(Path(__file__).with_name(WEIGHTS), **arrays)


if __name__ == "__main__":
    main()
