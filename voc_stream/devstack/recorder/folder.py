"""Recordings that are there already: a folder of audio files."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
from av.error import FFmpegError

from voc_stream.devstack.recorder import kinds
from voc_stream.devstack.recorder.recording import Recording, digest
from voc_stream.devstack.recorder.speech import Samples

_MEDIA_TYPES = {
    ".wav": "audio/x-wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".gsm": "audio/x-gsm",
}
_UNKNOWN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """A call in the folder: one file, or the two sides of one call."""

    name: str
    path: Path
    caller: Path | None = None


def find(folder: Path) -> list[Found]:
    """Every call in a folder, by name: `NAME_agent.*` and `NAME_caller.*` are one, any other audio file is one by itself."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in _MEDIA_TYPES)
    callers = {path.stem.removesuffix("_caller"): path for path in files if path.stem.endswith("_caller")}
    agents = {path.stem.removesuffix("_agent"): path for path in files if path.stem.endswith("_agent")}
    paired = agents.keys() & callers.keys()
    alone = [
        Found(path.name, path) for path in files if path.stem.removesuffix("_caller") not in paired and path.stem.removesuffix("_agent") not in paired
    ]
    return sorted([*alone, *(Found(name, agents[name], callers[name]) for name in paired)], key=lambda found: found.name)


def open_call(found: Found, made: Path) -> tuple[Recording, str]:
    """The recording of a call, and what should become of it: `any`, where the file is audio.

    Args:
        found: the call.
        made: a folder for the two-channel files that are put together from two sides.
    """
    path = found.path if found.caller is None else _together(found.path, found.caller, made)
    size = path.stat().st_size
    seconds, channels = _measure(path)
    recording = Recording(
        path=path,
        header=b"",
        size=size,
        sha256=digest(path, b"", size),
        seconds=seconds or _UNKNOWN_SECONDS,
        media_type=_MEDIA_TYPES[path.suffix.lower()],
        format="file",
        channels=channels,
    )
    if size == 0:
        return recording, kinds.not_scorable("empty")
    return recording, kinds.ANY if channels else kinds.DEAD_LETTER


def _measure(path: Path) -> tuple[float, int]:
    """Seconds and channels by decoding all of it, since headers may lie; zeros if it is not audio."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            samples = sum(frame.samples for frame in container.decode(stream))
            return samples / stream.codec_context.sample_rate, stream.codec_context.channels
    except (FFmpegError, IndexError):
        return 0.0, 0


def _together(agent: Path, caller: Path, made: Path) -> Path:
    """A WAV file with the agent left and the caller right, at the agent's rate."""
    sides = [f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in (agent, caller)]
    target = made / f"{agent.stem.removesuffix('_agent')}_{hashlib.sha256(chr(10).join(sides).encode()).hexdigest()[:16]}.wav"
    if target.exists():
        return target
    rate = _rate(agent)
    left, right = (np.concatenate([np.zeros(0, np.int16), *_decode(path, rate)]) for path in (agent, caller))
    both = np.zeros((max(len(left), len(right)), 2), np.int16)
    both[: len(left), 0], both[: len(right), 1] = left, right
    made.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    soundfile.write(unfinished, both, rate, format="WAV", subtype="PCM_16")
    return unfinished.replace(target)


def _rate(path: Path) -> int:
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec_context.sample_rate


def _decode(path: Path, rate: int) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            for out in resampler.resample(frame):
                yield out.to_ndarray()[0]
        for out in resampler.resample(None):
            yield out.to_ndarray()[0]
