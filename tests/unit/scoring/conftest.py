from __future__ import annotations

import pytest

from voc_stream.nlp.sentiment import SentimentScorer
from voc_stream.scoring.asr import Transcriber, find_model
from voc_stream.scoring.engine import Engine
from voc_stream.scoring.rubric import load_rubric
from voc_stream.scoring.vad import load_detector


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The service's engine with its real models."""
    return _engine(Transcriber(*find_model(None), jobs=1, threads_per_job=1))


@pytest.fixture(scope="session")
def deaf_engine() -> Engine:
    """The engine without speech recognition."""
    return _engine(None)


def _engine(transcriber: Transcriber | None) -> Engine:
    return Engine(
        rubric=load_rubric(),
        new_detector=load_detector()[1],
        sentiment=SentimentScorer.load(),
        transcriber=transcriber,
        asr_detail=None if transcriber else "no speech recognition",
        max_seconds=120.0,
        min_seconds=3.0,
    )
