"""Rated texts that training never saw; they are read where they lie, beside the project, and tests that want them are skipped without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from voc_stream.nlp.sentiment_sources import Rated, read_rated

FOLDER = Path(__file__).parent.parent.parent / "shared" / "data" / "text"
needs_rated_texts = pytest.mark.skipif(not FOLDER.exists(), reason="../shared/data/text is not here")


def held_back() -> list[Rated]:
    """Return those of them."""
    return read_rated(FOLDER)[1]
