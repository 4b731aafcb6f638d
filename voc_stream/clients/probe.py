"""Learns what a recording is while it streams past (spec section 2.4): codec, rate, channels, and the duration that the stream really held."""

from __future__ import annotations

from collections.abc import Mapping

from voc_stream.clients.probe_packets import PacketCounter
from voc_stream.clients.probe_wav import NotAudioError, WavCounter
from voc_stream.stages.outside import AudioFacts

__all__ = ["AudioFacts", "AudioProbe", "NotAudioError"]

_MAGIC = 12


class AudioProbe:
    """Fed with the chunks of one recording; keeps none of them.

    WAV, MP3, Ogg and FLAC are known by their first bytes; nothing else is given to a demuxer. `close` it in the end, whatever happened.
    """

    def __init__(self) -> None:
        self._first = b""
        self._wav: WavCounter | None = None
        self._packets: PacketCounter | None = None
        self._problem = ""
        self._facts: AudioFacts | None = None

    async def feed(self, chunk: bytes) -> None:
        """Take the next chunk. What is wrong with it is told by `finish`, so that the copy goes on."""
        if self._problem:
            return
        try:
            await self._feed(chunk)
        except NotAudioError as error:
            self._problem = str(error)

    async def finish(self) -> AudioFacts:
        """End the stream and return what it held; asked again, the same.

        Raises:
            NotAudioError: it is not audio that we know; the message is a sentence for a person.
        """
        if self._facts is None and not self._problem:
            try:
                self._facts = await self._finish()
            except NotAudioError as error:
                self._problem = str(error)
        if self._facts is None:
            raise NotAudioError(self._problem)
        return self._facts

    def known(self) -> Mapping[str, str]:
        """Return what is known by now as an object's metadata: codec once it was seen, duration (seconds) once the stream ended."""
        if self._facts is not None:
            return {"codec": self._facts.codec, "duration": f"{self._facts.duration:.3f}"} if self._facts.codec else {}
        reader = self._wav or self._packets
        return {"codec": reader.codec} if reader and reader.codec else {}

    def close(self) -> None:
        """Let go of the demuxer's thread, if there is one."""
        if self._packets is not None:
            self._packets.close()

    async def _feed(self, chunk: bytes) -> None:
        if self._wav is None and self._packets is None:
            self._first += chunk
            if len(self._first) < _MAGIC:
                return
            chunk, self._first = self._first, b""
            self._choose(chunk)
        if self._wav is not None:
            self._wav.feed(chunk)
        elif self._packets is not None:
            await self._packets.feed(chunk)

    def _choose(self, first: bytes) -> None:
        if first[:4] in {b"RIFF", b"RF64"} and first[8:12] == b"WAVE":
            self._wav = WavCounter()
            return
        container = _container(first)
        if not container:
            msg = "it is not audio: it is neither WAV, MP3, Ogg nor FLAC"
            raise NotAudioError(msg)
        self._packets = PacketCounter(container)

    async def _finish(self) -> AudioFacts:
        if self._wav is not None:
            return self._wav.facts()
        if self._packets is not None:
            return await self._packets.facts()
        if self._first:
            msg = f"it is not audio: it is {len(self._first)} bytes long"
            raise NotAudioError(msg)
        return AudioFacts(codec="", duration=0.0, sample_rate=0, channels=0)


def _container(first: bytes) -> str:
    if first.startswith(b"OggS"):
        return "ogg"
    if first.startswith(b"fLaC"):
        return "flac"
    # An ID3 tag, or a frame header of layer III: eleven set bits, version not reserved, layer 01.
    frame = first[0] == 0xFF and first[1] & 0xE6 == 0xE2 and first[1] & 0x18 != 0x08
    return "mp3" if frame or first.startswith(b"ID3") else ""
