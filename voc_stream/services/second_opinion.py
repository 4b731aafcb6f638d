"""Scores of a slow model (embeddings, a remote service) that never hold a window up (spec section 3)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from voc_stream.errors import OutsideError, RejectedError
from voc_stream.logs import get_logger
from voc_stream.nlp.score_cache import ScoreCache
from voc_stream.runtime import metrics
from voc_stream.runtime.gate import Gate

logger = get_logger(__name__)

Opinion = tuple[float | None, str]
"""The score and the model's name; or None and why there is none."""


Keyed = list[tuple[bytes, str]]
"""Parts of texts with their keys in the cache."""

# Keys cost about 10 µs a part; the event loop is free between steps.
_TEXTS_A_STEP = 50


class SlowModel(Protocol):
    """What scores texts too slowly, or too far away, to be waited for without end."""

    @property
    def name(self) -> str:
        """As in `sentiment_source`."""

    async def open(self) -> None:
        """Make it ready."""

    async def close(self) -> None:
        """Let go of what it holds."""

    def parts(self, text: str) -> list[str]:
        """Cut a text into what is scored one by one, and averaged; empty where there is nothing to score."""

    async def score(self, parts: Sequence[str]) -> list[float]:
        """Score parts, -1 to 1; raises OutsideError."""


class SecondOpinion:
    """Asks a slow model within a budget of time, and remembers what it says, be it late.

    Args:
        model: the model.
        cache: keeps the scores of parts.
        gate: closed while the model is down; then it is not asked at all.
        budget: seconds that one window waits at most.
        batch: most parts in one question.
        in_flight: most questions at once, over all windows.
    """

    def __init__(self, model: SlowModel, cache: ScoreCache, gate: Gate, *, budget: float, batch: int, in_flight: int) -> None:
        self._model = model
        self._cache = cache
        self._gate = gate
        self._budget = budget
        self._batch = batch
        self._free = asyncio.Semaphore(in_flight)
        self._in_flight = in_flight
        self._late: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Make the model ready."""
        await self._model.open()

    async def close(self) -> None:
        """End what is still being asked, and let the model go."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        await self._gate.stop()
        await self._model.close()

    async def ask(self, texts: Sequence[str], language: str) -> list[Opinion]:
        """Return an opinion for each text; never raises for a model that is down."""
        window = _Window(asyncio.get_running_loop().time() + self._budget)
        keyed: list[Keyed] = []
        for at in range(0, len(texts), _TEXTS_A_STEP):
            keyed += [self._keyed(text, language) for text in texts[at : at + _TEXTS_A_STEP]]
            await asyncio.sleep(0)
        wanted = self._look_up(keyed, window.scores)
        if wanted and self._gate.is_open:
            window.queue.extend(wanted[at : at + self._batch] for at in range(0, len(wanted), self._batch))
            await self._work(window)
        return [self._opinion(parts, window) for parts in keyed]

    def _keyed(self, text: str, language: str) -> Keyed:
        return [(self._cache.key(part, language), part) for part in self._model.parts(text)]

    def _look_up(self, keyed: Sequence[Keyed], scores: dict[bytes, float]) -> Keyed:
        """Take what is remembered into ``scores``, and return what is not, each once."""
        wanted: dict[bytes, str] = {}
        hits = misses = 0
        for key, part in (item for parts in keyed for item in parts):
            score = self._cache.get(key)
            if score is None:
                misses += 1
                wanted[key] = part
            else:
                hits += 1
                scores[key] = score
        metrics.SENTIMENT_CACHE.labels("hit").inc(hits)
        metrics.SENTIMENT_CACHE.labels("miss").inc(misses)
        return list(wanted.items())

    async def _work(self, window: _Window) -> None:
        """Ask until all is answered or the window's time is over; a question that is under way then goes on, for those who come after."""
        workers = min(self._in_flight, len(window.queue))
        tasks = {asyncio.create_task(self._ask_on(window), name="second opinion") for _ in range(workers)}
        self._late |= tasks
        for task in tasks:
            task.add_done_callback(self._ended)
        loop = asyncio.get_running_loop()
        done, _ = await asyncio.wait(tasks, timeout=max(window.deadline - loop.time(), 0))
        for task in done:
            task.result()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a slow model met an error it does not know", model=self._model.name, error=type(error).__name__)

    async def _ask_on(self, window: _Window) -> None:
        loop = asyncio.get_running_loop()
        while window.queue and loop.time() < window.deadline and self._gate.is_open:
            try:
                async with asyncio.timeout_at(window.deadline):
                    await self._free.acquire()
            except TimeoutError:
                return
            try:
                if window.queue:
                    await self._ask(window, window.queue.popleft())
            finally:
                self._free.release()

    async def _ask(self, window: _Window, batch: Keyed) -> None:
        try:
            scores = await self._model.score([part for _, part in batch])
        except RejectedError as error:
            logger.warning("a batch of texts was refused: they keep the rule's score", model=self._model.name, reason=error.reason)
            window.refused = True
            return
        except OutsideError as error:
            self._gate.close(error)
            return
        if asyncio.get_running_loop().time() > window.deadline:
            metrics.SENTIMENT_LATE.inc(len(batch))
        for (key, _), score in zip(batch, scores, strict=True):
            window.scores[key] = score
            self._cache.put(key, score)

    def _opinion(self, parts: Keyed, window: _Window) -> Opinion:
        scores = [window.scores[key] for key, _ in parts if key in window.scores]
        if parts and len(scores) == len(parts):
            return sum(scores) / len(scores), self._model.name
        why = "down" if not self._gate.is_open else "refused" if window.refused else "late"
        return None, f"{self._model.name}-{why}"


class _Window:
    """What is known of one window's parts while they are asked for."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.scores: dict[bytes, float] = {}
        self.queue: deque[Keyed] = deque()
        self.refused = False
