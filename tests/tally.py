"""What a test of a fault counted."""

from __future__ import annotations

from collections.abc import Callable


class Tally:
    """Writes a test's count where the report finds it.

    Args:
        record: pytest's `record_property`.
    """

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def count(self, what: str, *, lost: int = 0, duplicated: int = 0) -> None:
        """Say what was counted; before the assertion, so that a failure is counted as well.

        Args:
            what: a few words with the figure, as "30,000 events, 12 kills".
            lost: of these, how many are nowhere.
            duplicated: how many are there beyond once.
        """
        self._record("counted", what)
        self._record("lost", lost)
        self._record("duplicated", duplicated)
