"""Evaluating feeling: what would be stored of rated texts against their ratings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from voc_stream.labelled import Echo, FileUnusableError, Row, event_of, tell
from voc_stream.nlp.evaluation import FEELINGS, NEGATIVE, NEUTRAL, POSITIVE, Agreement, feeling, pearson
from voc_stream.nlp.sentiment_head import CUT
from voc_stream.nlp.sentiment_sources import HIGHEST_RATING, RATING_CUT
from voc_stream.services.annotator import Annotator
from voc_stream.services.slow_models import second_opinion
from voc_stream.settings import Settings

# Beyond it a score is a feeling; of a remote model nothing is known, it is taken for one like ours.
SCORE_CUTS = {"rule": 0.02, "embed": CUT, "remote": CUT}

_PATIENCE_SECONDS = 86_400.0
_LABELS = {
    "negative": -1.0, "neg": -1.0, "-1": -1.0, "neutral": 0.0, "neu": 0.0, "0": 0.0, "positive": 1.0, "pos": 1.0, "1": 1.0,
}  # fmt: skip


async def sentiment(settings: Settings, rows: Sequence[Row], echo: Echo) -> str:
    """Evaluate sentiment: columns text and rating (-4 to 4, cut at ±0.5) or label (negative, neutral, positive); the rating goes before.

    A text without a score (of another language) counts as neutral, 0.

    Raises:
        FileUnusableError: a cell that is no rating or label; the message names row and column.
    """
    ratings, truths = _truths(rows)
    scores = await _scores(settings, [row["text"] for row in rows])
    cut = SCORE_CUTS[settings.sentiment_model]
    agreement = Agreement.of(FEELINGS, truths, [feeling(score, -cut, cut) for score in scores])
    tell(agreement, echo)
    return f"accuracy={agreement.accuracy:.3f} macro_f1={agreement.macro_f1:.3f} pearson={pearson(ratings, scores):.3f}"


async def _scores(settings: Settings, texts: Sequence[str]) -> list[float]:
    patient = settings.model_copy(update={"annotate_budget_seconds": _PATIENCE_SECONDS})
    annotator = Annotator.load(second=second_opinion(patient))
    await annotator.open()
    try:
        annotations = await annotator.annotate([event_of({"text": text}) for text in texts])
    finally:
        await annotator.close()
    return [annotation.sentiment or 0.0 for annotation in annotations]


def _truths(rows: Sequence[Row]) -> tuple[list[float], list[str]]:
    """Return the ratings and the feelings that they stand for."""
    if "rating" in rows[0]:
        ratings = [_rating(row["rating"], at) for at, row in enumerate(rows, start=1)]
        return ratings, [feeling(rating, -RATING_CUT, RATING_CUT) for rating in ratings]
    if "label" not in rows[0]:
        raise FileUnusableError(f"the file has no column `rating` or `label`; it has {', '.join(rows[0])}")
    values = [_label(row["label"], at) for at, row in enumerate(rows, start=1)]
    return values, [NEGATIVE if value < 0 else POSITIVE if value > 0 else NEUTRAL for value in values]


def _rating(cell: str, row: int) -> float:
    try:
        rating = float(cell)
    except ValueError:
        rating = math.nan
    if not -HIGHEST_RATING <= rating <= HIGHEST_RATING:
        raise FileUnusableError(f"row {row}, column `rating`: not a number from -{HIGHEST_RATING:g} to {HIGHEST_RATING:g}")
    return rating


def _label(cell: str, row: int) -> float:
    value = _LABELS.get(cell.strip().lower())
    if value is None:
        raise FileUnusableError(f"row {row}, column `label`: none of {', '.join(FEELINGS)}")
    return value
