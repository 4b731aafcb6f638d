"""The annotator, loaded when the worker starts: commands and tests that annotate nothing do not wait a second for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from voc_stream.events.voc import VocEvent
from voc_stream.stages.annotation import NOTHING, Annotation
from voc_stream.tracing.current import told_as


class Annotates(Protocol):
    """What annotates events."""

    async def open(self) -> None:
        """Make it ready."""

    async def close(self) -> None:
        """Let go of what it holds."""

    async def annotate(self, events: Sequence[VocEvent]) -> list[Annotation]:
        """Return the annotation of each event."""


class Annotating:
    """Annotates once it is open.

    Args:
        load: makes the annotator; None where nothing is annotated (VOC_ANNOTATE=off).
    """

    def __init__(self, load: Callable[[], Annotates] | None) -> None:
        self._load = load
        self._annotator: Annotates | None = None

    async def open(self) -> None:
        """Load, beside the event loop."""
        if self._load is not None and self._annotator is None:
            annotator = await asyncio.to_thread(self._load)
            await annotator.open()
            self._annotator = annotator

    async def close(self) -> None:
        """Close what was opened."""
        if self._annotator is not None:
            await self._annotator.close()
            self._annotator = None

    @told_as("annotate")
    async def annotate(self, events: Sequence[VocEvent]) -> list[Annotation]:
        """Return the annotation of each event, in order."""
        return [NOTHING] * len(events) if self._annotator is None else await self._annotator.annotate(events)
