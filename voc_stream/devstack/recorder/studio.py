"""Where the calls are recorded: sound, encoding, and a folder that keeps what was made."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from voc_stream.devstack.recorder import sound
from voc_stream.devstack.recorder.dialogues import VARIANTS, fill, load
from voc_stream.devstack.recorder.formats import FORMATS, encode, pcm16_header
from voc_stream.devstack.recorder.kinds import Content
from voc_stream.devstack.recorder.recording import Recording, digest
from voc_stream.devstack.recorder.sound import Conversation, SpokenTurn
from voc_stream.devstack.recorder.speech import SAMPLE_RATE, Samples

_TRUNCATED_TO = 0.4
_PAUSE_BETWEEN_REPEATS = 2.0
_RECIPE = 1  # raised when the same script makes another sound: what the folder keeps is then made anew
_TEXT = b"This is not a recording. The disk was full when the call was written.\n" * 40


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that decides the bytes of a made recording. Equal scripts give equal sound, and are recorded once.

    Attributes:
        content: see `kinds.Content`.
        format: a key of `formats.FORMATS`.
        channels: 1 or 2.
        seconds: length, where no dialogue gives one.
        dialogue: a name in dialogues.yaml, where there are words.
        segment: which segment of it.
        variant: which version of it, 0 to `VARIANTS` - 1.
    """

    content: Content
    format: str = "pcm16"
    channels: int = 2
    seconds: float = 40.0
    dialogue: str | None = None
    segment: int = 0
    variant: int = 0


@dataclass(frozen=True, slots=True)
class _Made:
    """A file about to be written: `size` is more than `header` and `body` for one that repeats its body."""

    body: bytes
    seconds: float
    media_type: str = "audio/x-wav"
    header: bytes = b""
    size: int | None = None
    turns: tuple[SpokenTurn, ...] = ()


class Studio:
    """Records scripts into a folder, one at a time, and remembers them there from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Recording] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="studio")

    async def record(self, script: Script) -> Recording:
        """The recording of a script: from the folder, or made now (about 0.2 s for two minutes of speech) in a thread of its own.

        Raises:
            KeyError: no such dialogue or format.
        """
        name = _name(script)
        found = self._made.get(name)
        if found is None:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, _load_or_make, self._folder, name, script)
            self._made[name] = found
        return found

    def close(self) -> None:
        """Finish the recording at work and make no more."""
        self._thread.shutdown(cancel_futures=True)


def _words(script: Script) -> tuple[Any, ...]:
    return fill(load()[script.dialogue].segments[script.segment].turns, script.variant, script.segment) if script.dialogue else ()


def _name(script: Script) -> str:
    told = json.dumps([_RECIPE, asdict(script), [asdict(turn) for turn in _words(script)]], sort_keys=True)
    label = "_".join(filter(None, (script.content, script.dialogue, script.format)))
    return f"{label}_{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _load_or_make(folder: Path, name: str, script: Script) -> Recording:
    body, about = folder / f"{name}.audio", folder / f"{name}.json"
    if body.exists() and about.exists():
        kept = json.loads(about.read_text(encoding="utf-8"))
        turns = tuple(SpokenTurn(**turn) for turn in kept.pop("turns"))
        return Recording(path=body, header=bytes.fromhex(kept.pop("header")), turns=turns, **kept)
    folder.mkdir(parents=True, exist_ok=True)
    made = _MAKERS[script.content](script)
    _write(body, made.body)
    size = len(made.header) + len(made.body) if made.size is None else made.size
    recording = Recording(
        path=body,
        header=made.header,
        size=size,
        sha256=digest(body, made.header, size),
        seconds=made.seconds,
        media_type=made.media_type,
        format=script.content if script.content in {"text", "empty"} else script.format,
        channels=0 if script.content in {"text", "empty"} else script.channels,
        turns=made.turns,
    )
    told = asdict(recording) | {"header": recording.header.hex()}
    del told["path"]
    _write(about, json.dumps(told).encode())
    return recording


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a start that was cut short must not leave half a recording behind."""
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _encoded(samples: Samples, script: Script, turns: tuple[SpokenTurn, ...] = ()) -> _Made:
    return _Made(encode(samples, script.format), len(samples) / SAMPLE_RATE, FORMATS[script.format].media_type, turns=turns)


def _conversation(script: Script) -> Conversation:
    seed = int.from_bytes(hashlib.sha256(f"{script.dialogue}/{script.segment}/{script.variant}".encode()).digest()[:4], "big")
    spoken = sound.converse(_words(script), variant=script.variant % VARIANTS, segment=script.segment, seed=seed)
    if script.content == "one_sided":
        samples = spoken.samples.copy()
        samples[:, sound.CUSTOMER] = 0
        spoken = Conversation(samples, tuple(turn for turn in spoken.turns if turn.speaker == "agent"))
    return spoken if script.channels > 1 else replace(spoken, samples=sound.mix(spoken.samples))


def _dialogue(script: Script) -> _Made:
    spoken = _conversation(script)
    return _encoded(spoken.samples, script, spoken.turns)


def _truncated(script: Script) -> _Made:
    """A WAV file whose header promises the whole call, and whose samples end early, as when a recorder's disk ran full."""
    spoken = _conversation(script)
    whole = spoken.samples.tobytes()
    kept = int(len(spoken.samples) * _TRUNCATED_TO)
    turns = tuple(turn for turn in spoken.turns if turn.end * SAMPLE_RATE <= kept)
    body = pcm16_header(len(whole), script.channels) + spoken.samples[:kept].tobytes()
    return _Made(body, len(spoken.samples) / SAMPLE_RATE, turns=turns)


def _repeated(script: Script) -> _Made:
    spoken = _conversation(script)
    pause = sound.silence(_PAUSE_BETWEEN_REPEATS, script.channels)
    return _long(np.concatenate([spoken.samples, pause]), script, spoken.turns)


def _long(samples: Samples, script: Script, turns: tuple[SpokenTurn, ...] = ()) -> _Made:
    """16-bit samples over and over until the time is full; the turns are those of the first round."""
    data_bytes = int(script.seconds * SAMPLE_RATE) * script.channels * 2
    header = pcm16_header(data_bytes, script.channels)
    return _Made(samples.tobytes(), script.seconds, header=header, size=len(header) + data_bytes, turns=turns)


_MAKERS: dict[Content, Callable[[Script], _Made]] = {
    "dialogue": _dialogue,
    "one_sided": _dialogue,
    "truncated": _truncated,
    "repeated": _repeated,
    "silence": lambda script: _encoded(sound.silence(script.seconds, script.channels), script),
    "noise": lambda script: _encoded(sound.noise(script.seconds, script.channels, script.variant), script),
    "music": lambda script: _encoded(sound.hold_music(script.seconds, script.channels), script),
    "tone": lambda script: _long(sound.tone(1.0, script.channels), script),
    "text": lambda script: _Made(_TEXT, script.seconds),
    "empty": lambda script: _Made(b"", script.seconds),
}
