"""Secrets in files of a folder, each named like its setting, as orchestrators mount them (docs/access.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_MOST_BYTES = 64 << 10

Stamp = tuple[tuple[str, int, int, int], ...]


class SecretFiles(Mapping[str, str]):
    """The files as they are now: name → text without the line end. A mounted folder is swapped as a whole, which changes every stamp.

    Args:
        folder: None, or one that is not there: it is empty.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> str:
        """Return a secret.

        Raises:
            KeyError: there is no such file, or it cannot be read as one.
        """
        if self._folder is None or not _NAME.fullmatch(name):
            raise KeyError(name)
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(_MOST_BYTES).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return (name for name, *_ in self.stamp())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.stamp())

    def stamp(self) -> Stamp:
        """Return what is different when a file was changed, added or removed; nothing of their content."""
        if self._folder is None:
            return ()
        found = []
        try:
            for path in self._folder.iterdir():
                if _NAME.fullmatch(path.name) and path.is_file():
                    state = path.stat()
                    found.append((path.name, state.st_mtime_ns, state.st_size, state.st_ino))
        except OSError:
            return ()
        return tuple(sorted(found))
