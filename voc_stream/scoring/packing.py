"""Speech of one channel packed into windows of 14 s, with the way back to the call's time.

Whisper pays for a window however little is in it, so the pauses are left out and the speech of a channel fills each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from voc_stream.scoring.audio import RATE, Samples
from voc_stream.scoring.conversation import Span
from voc_stream.scoring.vad import FRAME, Probabilities

WINDOW = 14 * RATE
_PAD_SECONDS = 0.2
# Room that is left in a window is filled with the beginning of a stretch that does not fit, if it is this much.
_WORTH_CUTTING = 4 * RATE


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples ``start`` to ``end`` of the channel, found at ``at`` in the window."""

    start: int
    end: int
    at: int


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces of one channel, in order, that are heard as one."""

    pieces: tuple[Piece, ...]

    @property
    def samples(self) -> int:
        """Its length."""
        last = self.pieces[-1]
        return last.at + last.end - last.start

    def after(self, sample: int) -> Window:
        """What of the window comes after a sample of it."""
        return pack((piece.start + max(0, sample - piece.at), piece.end) for piece in self.pieces if piece.at + piece.end - piece.start > sample)


def pack(stretches: Iterable[tuple[int, int]]) -> Window:
    """One window of stretches of the channel, in samples."""
    pieces: list[Piece] = []
    at = 0
    for start, end in stretches:
        pieces.append(Piece(start, end, at))
        at += end - start
    return Window(tuple(pieces))


def plan(spans: tuple[Span, ...], probabilities: Probabilities, duration: float) -> tuple[Window, ...]:
    """Windows that hold every span, with a little air around it, in order."""
    windows: list[Window] = []
    held: list[tuple[int, int]] = []
    room = WINDOW
    for start, end in _stretches(spans, duration):
        at = start
        while end - at > room:
            cut = _least_speech(at, room, probabilities) if room >= _WORTH_CUTTING else at
            if cut > at:
                held.append((at, cut))
            windows.append(pack(held))
            at, held, room = cut, [], WINDOW
        held.append((at, end))
        room -= end - at
    return (*windows, pack(held)) if held else tuple(windows)


def _stretches(spans: tuple[Span, ...], duration: float) -> Iterator[tuple[int, int]]:
    before = 0.0
    for at, span in enumerate(spans):
        after = spans[at + 1].start if at + 1 < len(spans) else duration
        start = max(span.start - _PAD_SECONDS, (before + span.start) / 2)
        end = min(span.end + _PAD_SECONDS, (span.end + after) / 2)
        before = span.end
        yield round(start * RATE), round(end * RATE)


def _least_speech(start: int, room: int, probabilities: Probabilities) -> int:
    """Where to cut a stretch that does not fit: at the frame of the room's second half that is least like speech."""
    since, to = (start + room // 2) // FRAME + 1, (start + room) // FRAME
    return (since + int(np.argmin(probabilities[since:to]))) * FRAME


@dataclass(slots=True)
class Cutter:
    """Cuts a channel's windows out of its blocks as they pass; holds one window at a time."""

    windows: tuple[Window, ...]
    _next: int = 0
    _offset: int = 0
    _audio: Samples | None = field(default=None)

    def feed(self, block: Samples) -> Iterator[tuple[Window, Samples]]:
        """Yield each window that this block completes, with its samples."""
        start, self._offset = self._offset, self._offset + len(block)
        while self._next < len(self.windows):
            window = self.windows[self._next]
            if window.pieces[0].start >= self._offset:
                return
            if self._audio is None:
                self._audio = np.zeros(window.samples, dtype=np.float32)
            for piece in window.pieces:
                first, last = max(piece.start, start), min(piece.end, self._offset)
                if first < last:
                    self._audio[piece.at + first - piece.start : piece.at + last - piece.start] = block[first - start : last - start]
            if window.pieces[-1].end > self._offset:
                return
            yield window, self._audio
            self._audio = None
            self._next += 1

    def rest(self) -> Iterator[tuple[Window, Samples]]:
        """Yield the window that the end of the recording left unfinished, if any."""
        if self._audio is not None:
            yield self.windows[self._next], self._audio
            self._audio = None
