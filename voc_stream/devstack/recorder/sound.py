"""Sound to be recorded: conversations, and what a line carries when nobody speaks. All at 8 kHz, int16, one column a channel."""

import random
from dataclasses import dataclass

import numpy as np

from voc_stream.devstack.recorder.dialogues import Turn
from voc_stream.devstack.recorder.speech import SAMPLE_RATE, Samples, synthesise

AGENT_VOICES = ("en-us", "en-us+f3", "en-us+m3", "en-us+f2")
CUSTOMER_VOICES = ("en-us+f3", "en-us+m1", "en-us+f4", "en-us")
AGENT, CUSTOMER = 0, 1

_LEVEL = 0.5
_LINE_NOISE = 6.0
_LEAD_IN = 0.4


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """What was said, by whom, and when in the recording (seconds)."""

    speaker: str
    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two channels, the agent's first, of shape (samples, 2), and the words in them."""

    samples: Samples
    turns: tuple[SpokenTurn, ...]


def _line_noise(shape: tuple[int, ...], seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0.0, _LINE_NOISE, shape).round().astype(np.int16)


def converse(turns: tuple[Turn, ...], *, variant: int, segment: int, seed: int) -> Conversation:
    """Speak the turns one after the other, with pauses as people make them, over the faint noise of a line.

    Args:
        turns: what is said.
        variant: chooses the voices.
        segment: the number of the segment in its call; another segment may have another agent, so another voice.
        seed: of the pauses and the noise.
    """
    chance = random.Random(seed)
    voices = {"agent": AGENT_VOICES[(variant + segment) % len(AGENT_VOICES)], "customer": CUSTOMER_VOICES[variant % len(CUSTOMER_VOICES)]}
    rates = {"agent": 160 + 4 * (variant % 3), "customer": 168 + 3 * (variant % 4)}
    placed: list[tuple[Turn, int, Samples]] = []
    clock = int(_LEAD_IN * SAMPLE_RATE)
    for turn in turns:
        said = synthesise(turn.text, voices[turn.speaker], rates[turn.speaker])
        wait = turn.pause + (-0.7 if turn.interrupts else chance.uniform(0.35, 1.1))
        start = max(0, clock + int(wait * SAMPLE_RATE))
        placed.append((turn, start, said))
        clock = start + len(said)
    samples = _line_noise((clock + SAMPLE_RATE // 2, 2), seed)
    spoken = []
    for turn, start, said in placed:
        samples[start : start + len(said), AGENT if turn.speaker == "agent" else CUSTOMER] += (said * _LEVEL).astype(np.int16)
        spoken.append(SpokenTurn(turn.speaker, turn.text, round(start / SAMPLE_RATE, 2), round((start + len(said)) / SAMPLE_RATE, 2)))
    return Conversation(samples, tuple(spoken))


def mix(samples: Samples) -> Samples:
    """All channels in one, as a recorder without a second channel hears them: shape (samples, 1)."""
    mixed: Samples = np.clip(samples.astype(np.int32).sum(axis=1, keepdims=True), -32768, 32767).astype(np.int16)
    return mixed


def silence(seconds: float, channels: int) -> Samples:
    """Digital silence."""
    return np.zeros((int(seconds * SAMPLE_RATE), channels), np.int16)


def noise(seconds: float, channels: int, seed: int) -> Samples:
    """The hiss of a broken line, at -24 dBFS."""
    return np.random.default_rng(seed).normal(0.0, 2000.0, (int(seconds * SAMPLE_RATE), channels)).clip(-32768, 32767).astype(np.int16)


def tone(seconds: float, channels: int) -> Samples:
    """A plain 440 Hz tone; whole seconds of it join without a click."""
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    return np.repeat(wave.astype(np.int16)[:, None], channels, axis=1)


def hold_music(seconds: float, channels: int) -> Samples:
    """Broken chords over a bass, two notes a second: what callers hear on hold."""
    chords = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    beat = (time * 2).astype(int)
    notes = np.array([chord[i % 3] * 2 for chord in chords for i in range(4)])[beat % 16]
    bass = np.array([chord[0] / 2 for chord in chords for _ in range(4)])[beat % 16]
    fade = np.exp(-3.0 * (time * 2 - beat))
    wave = 6000 * fade * np.sin(2 * np.pi * notes * time) + 3000 * np.sin(2 * np.pi * bass * time)
    return np.repeat(wave.astype(np.int16)[:, None], channels, axis=1)
