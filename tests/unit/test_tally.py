"""What the tests of faults counted reaches the report."""

from __future__ import annotations

from tests.tally import Tally


def test_a_count_is_recorded_as_three_properties() -> None:
    recorded: dict[str, object] = {}
    Tally(recorded.__setitem__).count("500 events, 2 kills", lost=1)
    assert recorded == {"counted": "500 events, 2 kills", "lost": 1, "duplicated": 0}
