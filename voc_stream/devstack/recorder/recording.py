"""A recording on disk, and its bytes as the recorder hands them out."""

import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voc_stream.devstack.recorder.sound import SpokenTurn

CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Recording:
    """What `replay` answers: `header`, then the bytes of `path` again and again, until `size` bytes are out.

    So a two-hour recording costs as much disk as the minutes that it repeats, and no memory.

    Attributes:
        path: the file of the body.
        header: bytes before the body.
        size: of the whole, in bytes.
        sha256: of the whole, hexadecimal.
        seconds: how long the call lasted; of a broken file, how long it claims to have lasted.
        media_type: for Content-Type.
        format: a key of `formats.FORMATS`, or `file` (from a folder), `text`, `empty`.
        channels: 0 where the file is not audio.
        turns: the words in it, where they are known.
    """

    path: Path
    header: bytes
    size: int
    sha256: str
    seconds: float
    media_type: str
    format: str
    channels: int
    turns: tuple[SpokenTurn, ...] = ()

    def chunks(self) -> Iterator[memoryview]:
        """The bytes in pieces of at most `CHUNK_BYTES`, mapped from disk, not read into memory."""
        return stream(self.path, self.header, self.size)


def stream(path: Path, header: bytes, size: int) -> Iterator[memoryview]:
    """Yield `size` bytes: the header, then the file over and over."""
    if header:
        yield memoryview(header)[:size]
    left = size - len(header)
    if left <= 0:
        return
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # Small bodies are laid end to end, so that a long repetition does not become thousands of small writes.
    body = memoryview(mapped) if left <= len(mapped) or len(mapped) >= CHUNK_BYTES else memoryview(mapped[:] * (CHUNK_BYTES // len(mapped) + 1))
    while left > 0:
        for start in range(0, min(len(body), left), CHUNK_BYTES):
            yield body[start : min(start + CHUNK_BYTES, left)]
        left -= len(body)


def digest(path: Path, header: bytes, size: int) -> str:
    """SHA-256 of what `stream` yields."""
    sha256 = hashlib.sha256()
    for chunk in stream(path, header, size):
        sha256.update(chunk)
    return sha256.hexdigest()
