"""Faults that a test plans for a fake."""

from __future__ import annotations

from collections import defaultdict, deque

from voc_stream.errors import OutsideError


class PlannedFaults:
    """Raises, at the next calls of a method, the errors that were planned for it; the rest pass."""

    def __init__(self) -> None:
        self._planned: defaultdict[str, deque[OutsideError]] = defaultdict(deque)

    def fail_next(self, method: str, *errors: OutsideError) -> None:
        """Plan errors, one a call, for a method by its name."""
        self._planned[method].extend(errors)

    def check(self, method: str) -> None:
        """Raise what is planned for this call."""
        if self._planned[method]:
            raise self._planned[method].popleft()
