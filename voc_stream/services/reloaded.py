"""A file that is read again when it changes; one that cannot be used is reported in one line, and what it held before stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from voc_stream.logs import get_logger

logger = get_logger(__name__)

T = TypeVar("T")


class FileError(Exception):
    """The file cannot be used; the message is one line that names its setting."""


class ReloadedFile(Generic[T]):
    """What a file holds, now.

    Args:
        setting: which names the file; begins every message.
        path: None: there is no file, and `without` holds.
        parse: its text → its content.
        refusals: what `parse` raises for a text that cannot be used; their message is one sentence.
        without: the content where there is no file.
        beside: the stamp of what the text refers to; if it changes the file is read again, too.

    Raises:
        FileError: at the start, if the file cannot be used.
    """

    def __init__(
        self,
        setting: str,
        path: Path | None,
        parse: Callable[[str], T],
        refusals: type[Exception],
        without: T,
        *,
        beside: Callable[[], object] = lambda: None,
    ) -> None:
        self._setting = setting
        self._path = path
        self._parse = parse
        self._refusals = refusals
        self._beside = beside
        self._stamp = self._stamped()
        self._content = without if path is None else self._read(path)

    def current(self) -> T:
        """Return the content as the file has it now."""
        stamp = self._stamped()
        if self._path is not None and stamp != self._stamp:
            self._stamp = stamp
            try:
                self._content = self._read(self._path)
            except FileError as error:
                logger.error("a file cannot be used: what it held before stays", reason=str(error))
            else:
                logger.info("a file was read again", setting=self._setting)
        return self._content

    def _stamped(self) -> object:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino, self._beside()) if found else None

    def _read(self, path: Path) -> T:
        try:
            return self._parse(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, self._refusals) as error:
            raise FileError(" ".join(f"{self._setting} {path}: {error}".split())) from None
