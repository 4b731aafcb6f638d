"""What folders take of a disk."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def bytes_below(folder: Path, name: str) -> int:
    """Return what is on the disk of the files in folders of this name (a pattern), wherever they lie; none of them may lie in another.

    Kafka makes its indexes larger than they are: what a file pretends to be does not count.
    """
    return sum(_on_disk(file) for place in folder.rglob(name) if place.is_dir() for file in place.rglob("*"))


def _on_disk(file: Path) -> int:
    with suppress(OSError):  # RocksDB removes what it has merged
        if file.is_file():
            return file.stat().st_blocks * 512
    return 0
