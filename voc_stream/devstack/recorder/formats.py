"""Samples into the files that recorders write."""

import io
import struct
from dataclasses import dataclass

import soundfile

from voc_stream.devstack.recorder.sound import mix
from voc_stream.devstack.recorder.speech import SAMPLE_RATE, Samples


@dataclass(frozen=True, slots=True)
class Format:
    """A file format, as libsndfile names it, and the media type under which the recorder hands it out."""

    container: str
    subtype: str
    media_type: str = "audio/x-wav"
    mono_only: bool = False


FORMATS = {
    "pcm16": Format("WAV", "PCM_16"),
    "pcm8": Format("WAV", "PCM_U8"),
    "mulaw": Format("WAV", "ULAW"),
    "alaw": Format("WAV", "ALAW"),
    "gsm": Format("WAV", "GSM610", mono_only=True),
    "mp3": Format("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    "opus": Format("OGG", "OPUS", "audio/ogg"),
}


def encode(samples: Samples, name: str) -> bytes:
    """A whole file of a format (a key of `FORMATS`).

    Args:
        samples: int16 at 8 kHz, shape (samples, channels); mixed to one channel where the format has no more.
        name: the format.
    """
    chosen = FORMATS[name]
    if chosen.mono_only and samples.shape[1] > 1:
        samples = mix(samples)
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format=chosen.container, subtype=chosen.subtype)
    return file.getvalue()


def pcm16_header(data_bytes: int, channels: int, rate: int = SAMPLE_RATE) -> bytes:
    """The 44 bytes before `data_bytes` of 16-bit samples in a WAV file."""
    block = channels * 2
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16, 1, channels, rate, rate * block, block, 16, b"data", data_bytes
    )
