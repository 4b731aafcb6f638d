"""The packaged embedding model; it is made 8-bit once a session, which takes some ten seconds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.rated import held_back, needs_rated_texts
from voc_stream.nlp import embedding
from voc_stream.nlp.embedding import EmbeddingError, SentenceEmbedder, quantised
from voc_stream.nlp.evaluation import FEELINGS, Agreement, feeling
from voc_stream.nlp.sentiment import SentimentScorer
from voc_stream.nlp.sentiment_head import CUT, SentimentHead
from voc_stream.services.slow_models import EMBED_PACKAGES, EmbeddedSentiment, second_opinion
from voc_stream.settings import Settings, SettingsError

MISSING = [package for package in EMBED_PACKAGES if importlib.util.find_spec(package) is None]
installed = pytest.mark.skipif(bool(MISSING), reason=f"the group embed is not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def embedder(folder: Path) -> SentenceEmbedder:
    return SentenceEmbedder.load(folder)


@installed
def test_sentences_of_one_meaning_are_nearer_than_others(embedder: SentenceEmbedder) -> None:
    refund, money, weather = embedder.embed(["I want a refund.", "Please give me my money back.", "It rains in the mountains."])
    assert np.linalg.norm(refund) == pytest.approx(1)
    assert refund @ money > refund @ weather + 0.2


@installed
def test_a_sentence_has_one_vector_whatever_stands_beside_it(embedder: SentenceEmbedder) -> None:
    (alone,) = embedder.embed(["Thank you."])
    _, beside = embedder.embed(["a" * 2000 + " word" * 500, "Thank you."])
    assert np.array_equal(alone, beside)
    assert embedder.embed([]).shape == (0, 384)


@installed
def test_the_model_is_made_once_and_again_where_it_is_spoilt(embedder: SentenceEmbedder, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedder is not None
    (made,) = folder.glob("*.onnx")
    whole = made.read_bytes()
    monkeypatch.setattr(embedding, "_quantise", lambda *_: pytest.fail("it was made again"))
    assert quantised(folder) == made
    asked: list[Path] = []

    def make(_: Path, scratch: Path) -> Path:
        asked.append(scratch)
        fresh = scratch / "fresh"
        fresh.write_bytes(whole)
        return fresh

    monkeypatch.setattr(embedding, "_quantise", make)
    made.write_bytes(whole[:-1])
    assert quantised(folder) == made
    assert made.read_bytes() == whole
    assert len(asked) == 1
    assert {path.suffix for path in folder.iterdir()} == {".onnx", ".sha256"}


@installed
def test_a_packaged_file_that_is_not_the_measured_one_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_WEIGHTS", (*embedding._WEIGHTS[:2], "0" * 64))
    with pytest.raises(EmbeddingError, match="not the file that was measured"):
        quantised(folder)


@installed
async def test_the_embedded_model_tells_feelings_off_the_event_loop(folder: Path, embedder: SentenceEmbedder) -> None:
    assert embedder is not None
    model = EmbeddedSentiment(folder, SentimentScorer.load())
    await model.open()
    short = "I am delighted with the help. You were wonderful."
    assert model.parts(short) == [short]
    assert model.parts("...") == []
    parts = model.parts(f"I am delighted with the help I got. ... {'It is rude and useless, ' * 8} and I hate it!")
    assert len(parts) == 2
    glad, sad = await model.score(parts)
    await model.close()
    assert -1 <= sad < -0.1 < 0.1 < glad <= 1


def test_without_the_group_embed_the_start_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"SENTIMENT_MODEL: embed needs the group `embed`: the package onnx is not installed"):
        second_opinion(Settings(sentiment_model="embed"))


def test_the_default_needs_no_second_opinion() -> None:
    assert second_opinion(Settings()) is None


@installed
@needs_rated_texts
def test_it_agrees_with_people_on_texts_that_training_never_saw(folder: Path, embedder: SentenceEmbedder) -> None:
    assert quantised(folder).exists()
    rows = [(row.text, feeling(row.rating, -0.5, 0.5)) for row in held_back()][::8]
    texts = [text for text, _ in rows]
    scores = SentimentHead.load().scores(embedder.embed(texts), SentimentScorer.load().texts(texts))
    said = [feeling(score, -CUT, CUT) for score in scores]
    assert Agreement.of(FEELINGS, [truth for _, truth in rows], said).accuracy >= 0.64
