"""The recorder in memory: the same answers as the HTTP client's, proven by tests/contract/test_recorder.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from tests.fakes.faults import PlannedFaults
from voc_stream.clients.streams import ByteStream
from voc_stream.errors import NotThereYetError, RejectedError, TransientError
from voc_stream.stages.outside import BadRecord, SearchResult, Segment

_CHUNK = 64 << 10


class FakeRecorder(PlannedFaults):
    """Holds segments and their recordings.

    Args:
        result_cap: the most segments of a search; the rest is cut.
        max_bytes: recordings that are longer are refused.

    Attributes:
        rejects: what every search tells beside its segments.
        searched: the windows asked for, in order.
        replayed: the inums asked for, in order.
    """

    def __init__(self, result_cap: int = 1000, max_bytes: int = 4 << 30) -> None:
        super().__init__()
        self.segments: dict[str, Segment] = {}
        self.audio: dict[str, bytes] = {}
        self.rejects: list[BadRecord] = []
        self.searched: list[tuple[datetime, datetime]] = []
        self.replayed: list[str] = []
        self._result_cap, self._max_bytes = result_cap, max_bytes
        self._breaks: dict[str, int] = {}

    def add(self, segment: Segment, audio: bytes | None = None) -> None:
        """Record a segment; without audio its recording is not there yet."""
        self.segments[segment.inum] = segment
        if audio is not None:
            self.audio[segment.inum] = audio

    def break_next(self, inum: str, after: int) -> None:
        """Let the next replay of a recording break off after so many bytes."""
        self._breaks[inum] = after

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def search(self, start: datetime, end: datetime) -> SearchResult:
        self.searched.append((start, end))
        self.check("search")
        found = sorted((segment for segment in self.segments.values() if start <= segment.started_at <= end), key=lambda each: each.started_at)
        cut = tuple(found[: self._result_cap])
        return SearchResult(segments=cut, rejects=tuple(self.rejects), capped=len(cut) >= self._result_cap)

    @asynccontextmanager
    async def replay(self, inum: str) -> AsyncIterator[ByteStream]:
        self.replayed.append(inum)
        self.check("replay")
        audio = self.audio.get(inum)
        if audio is None:
            raise NotThereYetError("recorder", "the recording is not there")
        if len(audio) > self._max_bytes:
            raise RejectedError("recorder", f"the recording is longer than DOWNLOAD_MAX_BYTES ({self._max_bytes} bytes)")
        yield ByteStream(len(audio), "audio/wav", self._chunks(audio, self._breaks.pop(inum, None)))

    async def probe(self) -> None:
        self.check("probe")

    @staticmethod
    async def _chunks(audio: bytes, breaks_after: int | None) -> AsyncIterator[bytes]:
        for at in range(0, len(audio) if breaks_after is None else breaks_after, _CHUNK):
            yield audio[at : min(at + _CHUNK, len(audio) if breaks_after is None else breaks_after)]
        if breaks_after is not None:
            raise TransientError("recorder", "the connection broke off")
