"""Recordings for these tests: speech with known words, tones and noise, in memory."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from voc_stream.devstack.recorder.speech import synthesise

RATE = 8_000
PAUSE = 0.7
WORDS_PER_MINUTE = 175

Mono = NDArray[np.float32]


@cache
def say(text: str, voice: str = "en-us") -> Mono:
    """Speech at RATE, -1 to 1."""
    return np.asarray(synthesise(text, voice, WORDS_PER_MINUTE) / np.float32(32768), dtype=np.float32)


def dialogue(lines: Sequence[tuple[str, str]], pause: float = PAUSE) -> NDArray[np.float32]:
    """Two channels, agent and customer, who speak in turn; shape (2, samples)."""
    length = sum(len(_said(*line)) + round(pause * RATE) for line in lines)
    channels = np.zeros((2, length), dtype=np.float32)
    at = 0
    for speaker, text in lines:
        speech = _said(speaker, text)
        channels[int(speaker == "customer"), at : at + len(speech)] = speech
        at += len(speech) + round(pause * RATE)
    return channels


def _said(speaker: str, text: str) -> Mono:
    return say(text, "en-us+f3" if speaker == "customer" else "en-us")


def tone(seconds: float, *pitches: float) -> Mono:
    """A chord."""
    times = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(sum(np.sin(2 * np.pi * pitch * times) for pitch in pitches) * 0.2, dtype=np.float32)


def noise(seconds: float, level: float = 0.1) -> Mono:
    """White noise."""
    return np.asarray(np.random.default_rng(1).normal(0, level, round(seconds * RATE)), dtype=np.float32)


def silence(seconds: float) -> Mono:
    """Nothing."""
    return np.zeros(round(seconds * RATE), dtype=np.float32)


def wav(channels: NDArray[np.float32], rate: int = RATE) -> bytes:
    """A 16-bit PCM WAV file of one channel, or of shape (2, samples)."""
    samples = np.atleast_2d(channels)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(len(samples))
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples.T * 32767).astype("<i2").tobytes())
    return file.getvalue()


def riff(data: bytes, *, declared: int | None = None, channels: int = 1, rate: int = RATE, bits: int = 16) -> bytes:
    """A PCM WAV file whose header says what it is told to."""
    size = len(data) if declared is None else declared
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", size & 0xFFFFFFFF)
    return b"RIFF" + struct.pack("<I", (size + 36) & 0xFFFFFFFF) + body + data


def word_error_rate(expected: str, heard: str) -> float:
    """Edits by the words expected; case and punctuation do not count."""
    wanted, got = (["".join(filter(str.isalnum, word)) for word in text.lower().split()] for text in (expected, heard))
    row = list(range(len(got) + 1))
    for at, word in enumerate(wanted, start=1):
        before, row[0] = row[0], at
        for to, other in enumerate(got, start=1):
            before, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, before + (word != other))
    return row[-1] / len(wanted)
