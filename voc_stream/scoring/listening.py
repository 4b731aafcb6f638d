"""The first pass over a recording: how long it is, how loud, and where somebody speaks on which channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from voc_stream.scoring.audio import RATE, Samples, open_recording
from voc_stream.scoring.conversation import Span, Speaker
from voc_stream.scoring.vad import Probabilities, SpeechDetector, speech_spans

# Loudness is taken over pieces this long, so that a short word in a long silence counts.
_LEVEL_WINDOW = RATE // 2
_FLOOR_DBFS = -120.0
# Two channels whose difference is this much weaker than their sum are one microphone recorded twice.
_SAME_CHANNEL_POWER = 1e-4
SPEAKERS: dict[int, tuple[Speaker, ...]] = {1: ("unknown",), 2: ("agent", "customer")}


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording after the first pass. Seconds; ``loudest_dbfs`` is the RMS of the loudest half second of any channel."""

    codec: str
    sample_rate: int
    channels: int
    duration: float
    promised_seconds: float | None
    loudest_dbfs: float
    speech: Mapping[Speaker, tuple[Span, ...]]
    probabilities: Mapping[Speaker, Probabilities]

    @property
    def speech_seconds(self) -> dict[Speaker, float]:
        """Speech of each speaker."""
        return {speaker: sum(span.seconds for span in spans) for speaker, spans in self.speech.items()}


def listen(file: BinaryIO, new_detector: Callable[[], SpeechDetector], *, max_seconds: float, check: Callable[[], None]) -> Heard:
    """Read the recording once; memory does not grow with its length but for 125 bytes a second and channel.

    Raises:
        NotAudioError, TooLargeError: as `open_recording`.
    """
    with open_recording(file, max_seconds=max_seconds) as recording:
        detectors = [new_detector() for _ in range(recording.channels)]
        found: list[list[Probabilities]] = [[] for _ in detectors]
        samples = 0
        loudest = power = apart = 0.0
        for block in recording.blocks:
            check()
            samples += block.shape[1]
            loudest = max(loudest, _loudest(block))
            power += float(np.square(block).sum())
            apart += float(np.square(block[0] - block[-1]).sum())
            for channel, detector in enumerate(detectors):
                found[channel].append(detector.probabilities(block[channel]))
    if len(found) > 1 and apart <= _SAME_CHANNEL_POWER * power:
        found = found[:1]
    probabilities = dict(zip(SPEAKERS[len(found)], (np.concatenate(parts) if parts else np.zeros(0, np.float32) for parts in found), strict=True))
    duration = samples / RATE
    promised = duration / recording.promised_share if recording.promised_share else recording.promised_seconds
    return Heard(
        codec=recording.codec,
        sample_rate=recording.sample_rate,
        channels=recording.channels,
        duration=duration,
        promised_seconds=promised,
        loudest_dbfs=20 * math.log10(loudest) if loudest > 0 else _FLOOR_DBFS,
        speech={speaker: speech_spans(found) for speaker, found in probabilities.items()},
        probabilities=probabilities,
    )


def _loudest(block: Samples) -> float:
    windows = range(0, block.shape[1], _LEVEL_WINDOW)
    return max(float(np.sqrt(np.square(block[:, at : at + _LEVEL_WINDOW]).mean(axis=1).max())) for at in windows)
