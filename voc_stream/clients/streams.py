"""A body that is read while it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ByteStream:
    """A recording or an object, read once from its start.

    Args:
        size: its bytes, where the sender said so.
        content_type: as the sender said, or "".
        source: the chunks.
    """

    size: int | None
    content_type: str
    source: AsyncIterator[bytes]

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the chunks; a fault on the way is raised as `OutsideError`."""
        return self.source
