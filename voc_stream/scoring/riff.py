"""What a WAV header promises, so that a recording that was cut off can be told from a short one."""

from __future__ import annotations

import struct
from typing import BinaryIO

# Writers that stream do not know the size yet, and put one of these (or more) there.
_UNKNOWN_FROM = 0x7FFF_0000
_MAX_CHUNKS = 64


def promised_data_bytes(file: BinaryIO) -> int | None:
    """Size in bytes that the header gives for the samples; None where it is no WAV file or gives none. The file's position is moved."""
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    for _ in range(_MAX_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            return size if 0 < size < _UNKNOWN_FROM else None
        file.seek(size + size % 2, 1)
    return None


def present_data_bytes(file: BinaryIO) -> int:
    """Bytes from the start of the samples to the end of the file; call it after `promised_data_bytes` found them."""
    start = file.tell()
    return file.seek(0, 2) - start
