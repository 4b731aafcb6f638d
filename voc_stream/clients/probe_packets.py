"""What an MP3, Ogg or FLAC stream holds: PyAV takes it apart in a thread, fed through a bounded pipe while the stream passes."""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import suppress
from types import ModuleType
from typing import Any

from voc_stream.clients.probe_wav import NotAudioError
from voc_stream.stages.outside import AudioFacts

_CHUNKS_IN_PIPE = 8
_BUFFER = 32 << 10
# Enough to find the codec behind a cover picture; more would be kept in memory by the demuxer.
_OPTIONS = {"probesize": str(256 << 10), "analyzeduration": "0"}


class PacketCounter:
    """Reads one stream of a given container; `close` it in the end, whatever happened.

    Args:
        container: mp3, ogg or flac. No other demuxer is ever asked.
    """

    def __init__(self, container: str) -> None:
        self._container = container
        self._pipe: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(_CHUNKS_IN_PIPE)
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._left = b""
        self._facts: AudioFacts | None = None
        self.codec = ""
        threading.Thread(target=self._work, name="probe", daemon=True).start()

    async def feed(self, chunk: bytes) -> None:
        """Hand a chunk over; waits while the pipe is full, never once the thread has ended."""
        if chunk and not self._ended.is_set():
            await self._room.acquire()
            self._pipe.put(chunk)

    async def facts(self) -> AudioFacts:
        """End the stream and return what it held.

        Raises:
            NotAudioError: the container holds no audio that can be read.
        """
        self.close()
        await self._ended.wait()
        if self._facts is None:
            msg = f"it begins like {self._container} but holds no audio"
            raise NotAudioError(msg)
        return self._facts

    def close(self) -> None:
        """End the thread, which then reads what is in the pipe at most."""
        self._pipe.put(b"")

    def read(self, size: int) -> bytes:
        """Give the demuxer up to `size` bytes, waiting for them; none at the end. Called by PyAV in the thread."""
        if not self._left:
            self._left = self._pipe.get()
            if self._left:
                self._tell(self._room.release)
            else:
                self._pipe.put(b"")
        part, self._left = self._left[:size], self._left[size:]
        return part

    def _work(self) -> None:
        # 15 MiB that a worker without such recordings never needs.
        import av

        try:
            self._facts = self._demux(av)
        except (av.FFmpegError, ValueError, ArithmeticError):
            self._facts = None
        finally:
            self._tell(self._end)

    def _demux(self, av: ModuleType) -> AudioFacts | None:
        with av.open(self, mode="r", format=self._container, buffer_size=_BUFFER, options=_OPTIONS, metadata_errors="ignore") as source:
            if not source.streams.audio:
                return None
            stream = source.streams.audio[0]
            self.codec = stream.codec_context.codec.canonical_name
            ticks = self._count(av, source, stream)
            return AudioFacts(
                codec=self.codec,
                duration=round(float(ticks * stream.time_base), 3) if stream.time_base else 0.0,
                sample_rate=stream.codec_context.sample_rate,
                channels=stream.codec_context.channels,
            )

    def _count(self, av: ModuleType, source: Any, stream: Any) -> int:
        """Add up the packets' durations; a stream that breaks off counts as far as it goes."""
        ticks = 0
        with suppress(av.FFmpegError):
            for packet in source.demux(stream):
                ticks += packet.duration or 0
        return ticks

    def _end(self) -> None:
        self._ended.set()
        # Whoever waits for room need not.
        self._room.release()

    def _tell(self, what: Any) -> None:
        # The loop may have gone while the thread was reading: then nobody waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what)
