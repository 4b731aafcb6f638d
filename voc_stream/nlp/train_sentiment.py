"""Learn feeling anew: `python -m voc_stream.nlp.train_sentiment FOLDER` writes `sentiment_words.tsv` and `sentiment_head.npz`.

Needs the groups `train` and `embed`. One text in five is held back and never trained on; the same texts and embeddings give the same files.
`python -m benchmarks.sentiment` tells how both do on what was held back.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voc_stream.nlp.embedding import SentenceEmbedder
from voc_stream.nlp.evaluation import FEELINGS, feeling
from voc_stream.nlp.reading import Vocabulary, WordReader
from voc_stream.nlp.sentiment import LEARNED_WORDS, SentimentScorer, known_words, load_lexicon
from voc_stream.nlp.sentiment_head import WEIGHTS, features
from voc_stream.nlp.sentiment_sources import RATING_CUT, Rated, read_rated

Floats = NDArray[np.float64]

HEAD_VERSION = "minilm-1"
HEAD_STRENGTH = 0.3
HEAD_PENALTY = 3.0

_SEEN_AT_LEAST = 4
_WORDS_PENALTY = 10.0
# The default score and the source stand in the regression as columns so large that the penalty does not reach them.
_SCALE_SCORE, _SCALE_SOURCE = 30.0, 10.0
# A score near 0 is the sum of valences divided by this.
_VALENCES_A_SCORE = 15.0**0.5
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def learn_words(rows: Sequence[Rated], listed: Sequence[str]) -> dict[str, float]:
    """Return the valence of each listed word: what it adds to the rating of a text beyond what VADER's words say, by ridge regression.

    All frequent words take part, so that a listed one is not credited with what stands beside it.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import Ridge

    vader = {word: valence for word, valence in load_lexicon().items() if word not in listed}
    scorer = SentimentScorer(vader, WordReader(Vocabulary.of(sorted(known_words(vader)))))
    documents = [set(_WORD.findall(row.text.lower())) for row in rows]
    seen = Counter(word for words in documents for word in words)
    candidates = sorted(word for word, count in seen.items() if count >= _SEEN_AT_LEAST and word not in known_words(vader) and len(word) > 2)
    column = {word: at for at, word in enumerate(candidates)}
    places = [(at, column[word]) for at, words in enumerate(documents) for word in sorted(words) if word in column]
    present = csr_matrix((np.ones(len(places)), tuple(np.array(places).T)), shape=(len(rows), len(candidates)))
    scores = np.array([[scorer.sentence(row.text) * _SCALE_SCORE] for row in rows])
    sources = np.array([[_SCALE_SOURCE * (row.source == source) for source in ("amazon", "movies", "nyt")] for row in rows])
    model = Ridge(alpha=_WORDS_PENALTY).fit(hstack([present, csr_matrix(scores), csr_matrix(sources)]).tocsr(), [row.rating for row in rows])
    a_score = model.coef_[len(candidates)] * _SCALE_SCORE
    return {word: round(float(model.coef_[column[word]] / a_score * _VALENCES_A_SCORE), 1) for word in listed if word in column}


def learn_head(rows: Sequence[Rated], embeddings: Floats, scores: Floats) -> dict[str, NDArray[Any]]:
    """Fit the head, and return the arrays of a weights file."""
    from sklearn.linear_model import LogisticRegression, Ridge

    fed = features(embeddings, scores)
    truths = [feeling(row.rating, -RATING_CUT, RATING_CUT) for row in rows]
    classes = LogisticRegression(C=HEAD_STRENGTH, max_iter=2000).fit(fed, truths)
    if tuple(classes.classes_) != FEELINGS:
        raise ValueError("the training texts do not cover the feelings")
    rating = Ridge(alpha=HEAD_PENALTY).fit(fed, [row.rating for row in rows])
    return {
        "about": np.frombuffer(json.dumps({"version": HEAD_VERSION}).encode(), np.uint8),
        "weights": np.vstack([classes.coef_, rating.coef_]).T.astype(np.float32),
        "bias": np.array([*classes.intercept_, rating.intercept_], np.float32),
    }


def write_words(path: Path, words: Mapping[str, float]) -> None:
    """Write a lexicon: a word, a tab and its valence on each line."""
    path.write_text("".join(f"{word}\t{valence}\n" for word, valence in sorted(words.items())), encoding="utf-8")


def main() -> None:
    """Read the arguments, train, write."""
    parser = argparse.ArgumentParser(description="Learn feeling anew.")
    parser.add_argument("folder", type=Path, help="holds sentiment_hutto_part.csv")
    parser.add_argument("--state", type=Path, default=Path(".state"), help="where the 8-bit model is kept")
    parser.add_argument("--only-words", action="store_true", help="leave the head alone")
    arguments = parser.parse_args()
    here = Path(__file__).parent
    training, _ = read_rated(arguments.folder)
    listed = [line.split("\t")[0] for line in (here / LEARNED_WORDS).read_text(encoding="utf-8").splitlines()]
    write_words(here / LEARNED_WORDS, learn_words(training, listed))
    if arguments.only_words:
        return
    texts = [row.text for row in training]
    scores = SentimentScorer.load().texts(texts)
    embeddings = SentenceEmbedder.load(arguments.state / "models").embed(texts)
    arrays: dict[str, Any] = learn_head(training, embeddings, scores)
    np.savez_compressed(here / WEIGHTS, **arrays)


if __name__ == "__main__":
    main()
