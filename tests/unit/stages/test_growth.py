"""What is to be done so that partitions grow, what forbids it, and which rows go along."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.stages.growth import GrowthRefusedError, call_carried, ids_carried, plan, refuse_open_windows
from voc_stream.stages.history import read_rows
from voc_stream.stages.ranges import Claim, ClaimId, Digests, Place, Range, Row, Seen, decode_row
from voc_stream.stages.seen_ids import Horizon, SeenIds, digests_of

PLACE = Place("1", "voc.calls", 1)
MINE = ClaimId(2, 7)
SOURCES, CHANGELOG = ("voc.calls", "voc.overflow"), "app-event-ranges-changelog"
ALL = (*SOURCES, "voc.calls.dlq", CHANGELOG)


def planned(wanted: int, **found: int) -> object:
    counts = dict.fromkeys(ALL, 12) | {name.replace("__", ".").replace("changelog", CHANGELOG): count for name, count in found.items()}
    return plan("events", "KAFKA_EVENT_PARTITIONS", wanted, counts, sources=SOURCES, changelog=CHANGELOG)


def numbered(*numbers: int) -> Digests:
    return digests_of(["acme"] * len(numbers), [str(UUID(int=number)) for number in numbers])


def window(first: int, *numbers: int, claim: ClaimId = MINE, processed_ms: int = 1000) -> Range:
    deltas = np.arange(len(numbers), dtype="<u4").tobytes()
    return Range(claim, first, first + len(numbers) - 1, processed_ms, deltas, numbered(*numbers).tobytes())


def ledger(*rows: Row) -> list[Row]:
    return [Claim(MINE, 0, ()), *rows]


def carried(rows: list[Row], *, partitions: tuple[int, int] = (2, 6), end: int = 100, oldest_ms: int = 0) -> list[tuple[int, Row]]:
    return [(partition, decode_row(value)) for partition, _, value in ids_carried(PLACE, rows, partitions, end, oldest_ms)]


def test_with_as_many_as_the_setting_says_nothing_is_to_be_done() -> None:
    assert planned(12) is None


def test_every_smaller_topic_grows_and_the_sources_and_the_changelog_say_from_how_many() -> None:
    assert planned(24, voc__calls__dlq=6) == ("events", 12, 24, ALL)
    assert planned(24, voc__calls=24) == ("events", 12, 24, tuple(name for name in ALL if name != "voc.calls"))


def test_what_only_the_dead_letters_lack_needs_no_rows() -> None:
    assert planned(12, voc__calls__dlq=6) == ("events", 12, 12, ("voc.calls.dlq",))


@pytest.mark.parametrize(
    ("wanted", "found", "line"),
    [
        (12, {"voc__overflow": 24}, "voc.overflow has 24 partitions and KAFKA_EVENT_PARTITIONS is 12: they are never taken away; set it to 24"),
        (18, {}, "12 partitions cannot become 18, only a multiple: 24, 36, 48 ... (KAFKA_EVENT_PARTITIONS)"),
        (24, {"changelog": 0}, f"there is no topic {CHANGELOG}; run: faust -A voc_stream topics"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(wanted: int, found: dict[str, int], line: str) -> None:
    with pytest.raises(GrowthRefusedError) as refusal:
        planned(wanted, **found)
    assert str(refusal.value) == f"events: {line}"


def test_topics_without_a_table_grow_to_any_number() -> None:
    found = {"audio.ready": 24, "audio.ready.dlq": 24}
    growth = plan("recordings", "KAFKA_RECORDING_PARTITIONS", 25, found, sources=("audio.ready",), changelog=None)
    assert growth == ("recordings", 24, 25, ("audio.ready", "audio.ready.dlq"))


def test_ids_go_to_every_new_partition_that_the_keys_may_go_to_and_lie_there_before_its_beginning() -> None:
    found = carried(ledger(window(90, 1, 2), window(92, 3)))

    assert [partition for partition, _ in found] == [3, 5, 3, 5]
    rows = [row for partition, row in found if partition == 3]
    assert [(row.first, row.last, row.offsets.tolist()) for row in rows if isinstance(row, Seen)] == [(-10, -9, [-10, -9]), (-8, -8, [-8])]
    assert read_rows(rows).last == -8


def test_the_same_rows_give_the_same_keys_and_values_again() -> None:
    rows = ledger(window(90, 1, 2), window(92, 3))
    assert list(ids_carried(PLACE, rows, (2, 4), 100, 0)) == list(ids_carried(PLACE, rows[::-1], (2, 4), 100, 0))


def test_what_is_forgotten_or_void_or_empty_stays_behind() -> None:
    late = window(95, 9, claim=ClaimId(1, 3))
    rows: list[Row] = [Claim(MINE, 90, ()), window(90, 1, processed_ms=10), window(91), window(92, 2), late]
    assert [row.first for _, row in carried(rows, partitions=(2, 4), oldest_ms=11) if isinstance(row, Seen)] == [-8]


def test_a_row_that_holds_another_one_comes_after_it() -> None:
    packed = Seen(MINE, 90, 92, 1000, np.arange(3, dtype="<u4").tobytes(), numbered(1, 2, 3).tobytes())
    keys = [key for _, key, _ in ids_carried(PLACE, ledger(window(90, 1), packed), (2, 4), 100, 0)]
    assert keys[0] == keys[1]
    assert len(carried(ledger(window(90, 1), packed), partitions=(2, 4))[-1][1].digests) == 48  # type: ignore[union-attr]


def test_a_window_that_is_not_committed_is_refused() -> None:
    refuse_open_windows(PLACE, ledger(window(90, 1, 2)), 92)
    with pytest.raises(GrowthRefusedError, match=r"voc.calls\[1\]: the window 90-91 is written down, but the group stands at 91"):
        refuse_open_windows(PLACE, ledger(window(90, 1, 2)), 91)


@given(st.lists(st.integers(0, 60), unique=True), st.integers(1, 6), st.integers(0, 3))
def test_copies_of_what_came_before_the_growth_are_known_in_the_new_partition_and_nothing_else_is(came: list[int], size: int, forgotten: int) -> None:
    windows = [came[start : start + size] for start in range(0, len(came), size)]
    rows: list[Row] = [window(number * size, *each, processed_ms=number) for number, each in enumerate(windows)]
    seen = SeenIds(Horizon(1000))
    moved = [row for _, row in carried(ledger(*rows), partitions=(2, 4), end=len(came)) if isinstance(row, Seen)]
    for _ in seen.recalling(sorted(moved, key=lambda row: row.last)):
        pass
    seen.forget_before(forgotten)
    for _ in seen.making_ready(5000):  # what is forgotten is left out, and places that are free are not taken for ids
        pass

    everything = list(range(120))
    offsets = np.arange(len(everything), dtype=np.int64)
    fresh = seen.enter(numbered(*everything), offsets) == offsets
    assert [number for number in everything if not fresh[number]] == sorted(number for each in windows[forgotten:] for number in each)


def test_a_call_goes_where_its_key_goes_and_keeps_its_time_but_not_its_offset() -> None:
    assert call_carried(b"c1", b"17 1000", 1, lambda _: 3, 900.0) == (3, b"c1", b"-1 1000")
    assert call_carried(b"c1", b"17 1000", 1, lambda _: 1, 900.0) is None
    assert call_carried(b"c1", b"17 1000", 1, lambda _: 3, 1001.0) is None
    assert call_carried(b"c1", b"17", 1, lambda _: 3, 0.0) == (3, b"c1", b"-1 0")
