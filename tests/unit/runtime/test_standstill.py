"""How long something stood still, as far as it was watched."""

from __future__ import annotations

from voc_stream.runtime.standstill import Standstill, Watching


def test_a_look_counts_for_the_seconds_since_the_last_and_for_no_more_than_looks_lie_apart() -> None:
    now = [100.0]
    watching = Watching(2.0, lambda: now[0])
    seconds = []
    for passed in (1.0, 1.5, 3600.0, 1.0):
        now[0] += passed
        seconds.append(watching.look())

    assert seconds == [1.0, 1.5, 2.0, 1.0]


def test_standing_still_is_counted_until_there_is_progress_or_nothing_to_do() -> None:
    standstill = Standstill()
    counted = []
    for mark, idle in (("a", False), ("a", False), ("a", False), ("b", False), ("b", False), ("b", True), ("b", False)):
        standstill.watched(1.0, mark, idle=idle)
        counted.append(standstill.seconds)

    assert counted == [0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 1.0]
