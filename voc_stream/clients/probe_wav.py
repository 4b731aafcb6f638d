"""What a WAV stream holds: its `fmt ` chunk is read, the bytes of its `data` chunk are counted (the fast path of nearly every recorder)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from voc_stream.stages.outside import AudioFacts

_EXTENSIBLE = 0xFFFE
_LONGEST_FMT = 4096
# RIFF chunks that may follow the audio; anything else after the promised length is audio whose header promised too little.
_TRAILERS = frozenset({b"LIST", b"id3 ", b"ID3 ", b"fact", b"bext", b"cue ", b"smpl", b"JUNK", b"PAD ", b"iXML", b"axml", b"afsp"})
# Format tag → codec, for PCM by bits per sample. Names are ffmpeg's.
_CODECS: dict[int, dict[int, str] | str] = {
    0x0001: {8: "pcm_u8", 16: "pcm_s16le", 24: "pcm_s24le", 32: "pcm_s32le"},
    0x0002: "adpcm_ms",
    0x0003: {32: "pcm_f32le", 64: "pcm_f64le"},
    0x0006: "pcm_alaw",
    0x0007: "pcm_mulaw",
    0x0011: "adpcm_ima_wav",
    0x0031: "gsm_ms",
    0x0055: "mp3",
}
_PCM_LIKE = frozenset({0x0001, 0x0003, 0x0006, 0x0007})
_BLOCKS = frozenset({0x0002, 0x0011, 0x0031})


class NotAudioError(Exception):
    """The stream is not audio that we know; the message is a sentence for a person."""


class WavCounter:
    """Reads a WAV or RF64 stream from its first byte: `feed` it every chunk, then ask `facts`."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._skip = 12
        self._format: tuple[str, int, int, float] | None = None
        self._promised = 0
        self._audio: int | None = None
        self._after: bytes = b""
        self._ended = False

    @property
    def codec(self) -> str:
        """The codec once the header has been read, else ""."""
        return self._format[0] if self._format else ""

    def feed(self, chunk: bytes) -> None:
        """Read on.

        Raises:
            NotAudioError: its header makes no sense.
        """
        if self._audio is None:
            self._head += chunk
            self._read_head()
        elif not self._ended:
            self._count(chunk)

    def facts(self) -> AudioFacts:
        """Return what the stream held.

        Raises:
            NotAudioError: it ended before its format was told.
        """
        if self._format is None:
            msg = "it ends inside its WAV header"
            raise NotAudioError(msg)
        codec, rate, channels, bytes_per_second = self._format
        return AudioFacts(codec=codec, duration=round((self._audio or 0) / bytes_per_second, 3), sample_rate=rate, channels=channels)

    def _read_head(self) -> None:
        """Walk the chunks before the audio; long ones are skipped, not kept."""
        while self._audio is None:
            dropped = min(self._skip, len(self._head))
            del self._head[:dropped]
            self._skip -= dropped
            if self._skip or len(self._head) < 8:
                return
            name, size = struct.unpack_from("<4sI", self._head)
            if name == b"data":
                self._start_audio(size)
            elif name != b"fmt ":
                self._skip = 8 + size + size % 2
            elif size > _LONGEST_FMT:
                msg = "its WAV header makes no sense"
                raise NotAudioError(msg)
            elif len(self._head) < 8 + size:
                return
            else:
                self._format = _format(bytes(self._head[8 : 8 + size]))
                self._skip = 8 + size + size % 2

    def _start_audio(self, promised: int) -> None:
        if self._format is None:
            msg = "its WAV header makes no sense: it names no format"
            raise NotAudioError(msg)
        self._audio, self._promised = 0, promised
        rest = bytes(self._head[8:])
        self._head.clear()
        self._count(rest)

    def _count(self, chunk: bytes) -> None:
        """Count bytes of audio. A header's promise only tells where a trailing chunk may begin; one that promised too little is not believed."""
        audio = (self._audio or 0) + len(chunk)
        beyond = audio - self._promised
        if beyond > 0 and len(self._after) < 9:
            self._after += chunk[max(0, len(chunk) - beyond) :][: 9 - len(self._after)]
            # The audio is padded to an even length.
            if self._after[self._promised % 2 :][:4] in _TRAILERS:
                self._ended, audio = True, self._promised
        self._audio = audio


def _format(fmt: bytes) -> tuple[str, int, int, float]:
    """Return codec, sample rate, channels and the bytes of a second of audio."""
    header = _Fmt.of(fmt)
    known = _CODECS.get(header.tag, f"wav_0x{header.tag:04x}")
    codec = known if isinstance(known, str) else known.get(header.bits, "")
    if not codec or not (1 <= header.channels <= 64 and 1 <= header.rate <= 768_000 and header.bytes_per_second > 0):
        msg = "its WAV header makes no sense"
        raise NotAudioError(msg)
    return codec, header.rate, header.channels, header.bytes_per_second


class _Fmt(NamedTuple):
    """The fields of a `fmt ` chunk; `block_samples` is 0 where it does not tell."""

    tag: int
    channels: int
    rate: int
    average: int
    block: int
    bits: int
    block_samples: int

    @classmethod
    def of(cls, fmt: bytes) -> _Fmt:
        if len(fmt) < 16:
            msg = "its WAV header makes no sense"
            raise NotAudioError(msg)
        tag, channels, rate, average, block, bits = struct.unpack_from("<HHIIHH", fmt)
        if tag == _EXTENSIBLE and len(fmt) >= 26:
            tag = struct.unpack_from("<H", fmt, 24)[0]
        block_samples = struct.unpack_from("<H", fmt, 18)[0] if len(fmt) >= 20 else 0
        return cls(tag, channels, rate, average, block, bits, block_samples)

    @property
    def bytes_per_second(self) -> float:
        if self.tag in _PCM_LIKE:
            return self.rate * self.channels * self.bits / 8
        if self.tag in _BLOCKS and self.block_samples:
            return self.rate * self.block / self.block_samples
        return float(self.average)
