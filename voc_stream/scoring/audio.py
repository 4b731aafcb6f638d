"""Audio of any telephone kind to 16 kHz float blocks, by what is in the file and never by what its name or header says of it.

Bounded: one block is in memory at a time, whatever the length of the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import av
import numpy as np
from numpy.typing import NDArray

from voc_stream.scoring.errors import NotAudioError, TooLargeError
from voc_stream.scoring.riff import present_data_bytes, promised_data_bytes

RATE = 16_000
# A multiple of the 512 samples that the speech detector reads at once; 32.8 s.
BLOCK = 512 * 1024

# Only containers that hold their own audio: a playlist format would make FFmpeg open other files and addresses.
_FORMATS = "wav,mp3,ogg,flac,au"
_LOWEST_RATE, _HIGHEST_RATE = 4_000, 192_000
_STEREO = 2

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recording:
    """An opened recording. ``promised_seconds`` is what its header says the audio lasts, None where it says nothing reliable."""

    codec: str
    sample_rate: int
    channels: int
    promised_share: float | None
    promised_seconds: float | None
    blocks: Iterator[Samples]


@contextmanager
def open_recording(file: BinaryIO, *, max_seconds: float) -> Iterator[Recording]:
    """Open a seekable file; ``blocks`` then yields float32 arrays of shape (channels, up to BLOCK), 16 kHz, -1 to 1.

    Raises:
        NotAudioError: nothing in it can be decoded here.
        TooLargeError: (from ``blocks``) it lasts longer than ``max_seconds``.
    """
    promised = promised_data_bytes(file)
    present = present_data_bytes(file) if promised else 0
    file.seek(0)
    try:
        container = av.open(file, mode="r", metadata_errors="ignore", options={"format_whitelist": _FORMATS, "protocol_whitelist": "crypto"})
    except (av.error.FFmpegError, ValueError) as error:
        msg = "The file is not audio of a kind that is read here (WAV, MP3, Ogg, FLAC)."
        raise NotAudioError(msg) from error
    with container:
        stream = _audio_stream(container)
        share = present / promised if promised else None
        seconds = float(stream.duration * stream.time_base) if container.format.name == "flac" and stream.duration and stream.time_base else None
        yield Recording(
            codec=stream.codec_context.name,
            sample_rate=stream.codec_context.sample_rate,
            channels=stream.codec_context.channels,
            promised_share=share,
            promised_seconds=seconds,
            blocks=_blocks(container, stream, max_seconds),
        )


def _audio_stream(container: Any) -> Any:
    stream = next(iter(container.streams.audio), None)
    context = stream.codec_context if stream else None
    if stream is None or context is None:
        msg = "The file holds no audio of a codec that can be decoded here."
        raise NotAudioError(msg)
    if context.channels not in {1, _STEREO}:
        msg = f"The recording has {context.channels} channels; one or two are read."
        raise NotAudioError(msg)
    if not _LOWEST_RATE <= context.sample_rate <= _HIGHEST_RATE:
        msg = f"A sample rate of {context.sample_rate} Hz is outside {_LOWEST_RATE} to {_HIGHEST_RATE} Hz."
        raise NotAudioError(msg)
    return stream


def _blocks(container: Any, stream: Any, max_seconds: float) -> Iterator[Samples]:
    parts: list[Samples] = []
    held = total = 0
    for part in _pieces(container, stream):
        total += part.shape[1]
        if total > max_seconds * RATE:
            msg = f"The recording lasts longer than the limit of {max_seconds:.0f} s."
            raise TooLargeError(msg)
        parts.append(part)
        held += part.shape[1]
        if held >= BLOCK:
            joined = np.concatenate(parts, axis=1)
            whole = held - held % BLOCK
            for start in range(0, whole, BLOCK):
                yield joined[:, start : start + BLOCK]
            parts, held = [joined[:, whole:]], held - whole
    if held:
        yield np.concatenate(parts, axis=1)


def _pieces(container: Any, stream: Any) -> Iterator[Samples]:
    channels = stream.codec_context.channels
    resampler = av.AudioResampler(format="fltp", layout="stereo" if channels == _STEREO else "mono", rate=RATE)
    decoded = damaged = 0
    for packet in _packets(container, stream):
        try:
            pieces = [piece for frame in packet.decode() for piece in _resampled(resampler, frame, channels)]
        except (av.error.FFmpegError, _OtherKindError):
            damaged += 1
            continue
        decoded += bool(pieces)
        yield from pieces
    if decoded:
        with suppress(_OtherKindError):
            yield from _resampled(resampler, None, channels)
    if damaged > decoded:
        msg = "Most of the audio data is damaged and cannot be decoded."
        raise NotAudioError(msg)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """The packets up to the end, or up to where the container is broken: how much there was is told from what was decoded."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:
        return


class _OtherKindError(Exception):
    """A damaged frame that says it has other channels or another rate than the recording."""


def _resampled(resampler: av.AudioResampler, frame: av.AudioFrame | None, channels: int) -> list[Samples]:
    try:
        pieces = resampler.resample(frame)
    except ValueError as error:
        raise _OtherKindError from error
    if any(piece.layout.nb_channels != channels or piece.sample_rate != RATE or piece.format.name != "fltp" for piece in pieces):
        # A resampler that has nothing to do does not look at its frames.
        raise _OtherKindError
    return [cast("Samples", piece.to_ndarray()) for piece in pieces]
