"""Everything that the recorder knows of a stretch of time, however many calls that are: a search as long as its cap is halved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Protocol

from voc_stream.logs import get_logger
from voc_stream.stages.outside import SearchResult
from voc_stream.stages.poll import Window, halves

logger = get_logger(__name__)

# The recorder is asked for no more at once, one request after the other.
PIECE = timedelta(minutes=15)


class Searches(Protocol):
    """What is needed of the recorder."""

    async def search(self, start: datetime, end: datetime) -> SearchResult:
        """Segments by start."""


async def search_all(recorder: Searches, start: datetime, end: datetime) -> AsyncIterator[SearchResult]:
    """Yield what the recorder tells of calls that started from `start` to `end`, both included; calls at borders come twice."""
    while start <= end:
        stop = min(start + PIECE, end)
        async for result in _halved(recorder, Window(start, stop)):
            yield result
        if stop == end:
            return
        start = stop


async def _halved(recorder: Searches, window: Window) -> AsyncIterator[SearchResult]:
    result = await recorder.search(window.start, window.end)
    parts = halves(window) if result.capped else None
    if parts is None:
        if result.capped:
            logger.error("more calls start in one second than the recorder tells of: some are missing", start=window.start.isoformat())
        yield result
        return
    for part in parts:
        async for found in _halved(recorder, part):
            yield found
