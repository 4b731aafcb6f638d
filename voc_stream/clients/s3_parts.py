"""Cuts a stream into the parts of an upload, hashing it on the way; one buffer, used again for every part."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections.abc import AsyncIterator

_NOTHING = memoryview(b"")


class Parts:
    """The parts of one stream.

    Nothing is read from the stream but inside `start` and `fill`, so it waits while a part is sent.

    Args:
        chunks: the stream.
        part_bytes: the length of every part but the last.

    Attributes:
        buffer: the present part, `filled` bytes long, at its start.
        size: bytes read so far.
    """

    def __init__(self, chunks: AsyncIterator[bytes], part_bytes: int) -> None:
        self.buffer = io.BytesIO()
        self.filled = 0
        self.size = 0
        self._chunks, self._part_bytes = chunks, part_bytes
        self._rest = _NOTHING
        self._crc = 0
        self._sha256 = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hex digest of what was read so far."""
        return self._sha256.hexdigest()

    @property
    def checksum(self) -> str:
        """The present part's CRC-32 as S3 wants it."""
        return crc32_of(self._crc)

    async def start(self) -> None:
        """Wait for the first bytes, before memory is taken for a part."""
        await self._next_chunk()

    async def fill(self) -> bool:
        """Read the next part into the buffer; False when the stream ended, and what it left is in the buffer."""
        self.buffer.seek(0)
        self.filled = self._crc = 0
        while self.filled < self._part_bytes and (self._rest or await self._next_chunk()):
            piece = self._rest[: self._part_bytes - self.filled]
            self.buffer.write(piece)
            self._crc = zlib.crc32(piece, self._crc)
            self._rest = self._rest[len(piece) :]
            self.filled += len(piece)
        full = self.filled == self._part_bytes
        if not full:
            self.buffer.truncate(self.filled)
        self.buffer.seek(0)
        return full

    async def _next_chunk(self) -> bool:
        async for chunk in self._chunks:
            if chunk:
                self._sha256.update(chunk)
                self.size += len(chunk)
                self._rest = memoryview(chunk)
                return True
        return False


def crc32_of(value: int) -> str:
    """Return a CRC-32 as S3 wants it."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()
