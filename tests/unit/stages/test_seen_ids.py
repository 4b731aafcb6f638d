"""Which ids were seen, and at which offset first."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.stages.id_table import IdTable
from voc_stream.stages.ranges import ClaimId, Digests, Offsets, Seen
from voc_stream.stages.seen_ids import Horizon, SeenIds, digests_of

WORDS = st.integers(0, 3) | st.integers(0, (1 << 64) - 1)


def numbered(*numbers: int, tenant: str = "acme") -> Digests:
    return digests_of([tenant] * len(numbers), [str(UUID(int=number)) for number in numbers])


def test_an_id_written_otherwise_is_the_same_id() -> None:
    event_id = UUID(int=0xABCDEF)
    written = [str(event_id), str(event_id).upper(), event_id.hex]
    assert len({digest.tobytes() for digest in digests_of(["acme"] * len(written), written)}) == 1


def offsets(first: int, count: int) -> Offsets:
    return np.arange(first, first + count, dtype=np.int64)


@given(st.lists(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=80), max_size=8))
def test_a_table_tells_what_a_dictionary_would(batches: list[list[tuple[int, int]]]) -> None:
    table, model, offset = IdTable(), dict[tuple[int, int], int](), 0
    for batch in batches:
        ids = np.array(batch, dtype=np.uint64)
        expected = [model.setdefault(each, offset + place) for place, each in enumerate(batch)]
        assert table.enter(ids, offsets(offset, len(batch))).tolist() == expected
        offset += len(batch)
    assert len(table) == len(model)


def test_many_ids_are_kept_in_less_than_40_bytes_each_and_told_apart() -> None:
    table, count = IdTable(), 200_000
    ids = np.random.default_rng(7).integers(0, 1 << 63, (count, 2), dtype=np.uint64)
    for start in range(0, count, 5000):
        part = offsets(start, 5000)
        assert (table.enter(ids[start : start + 5000], part) == part).all()
    assert table.nbytes / count < 40
    assert (table.enter(ids, offsets(count, count)) == offsets(0, count)).all()


def test_offsets_before_the_first_one_and_far_behind_it_are_told_apart() -> None:
    table = IdTable()
    first = table.enter(numbered(1, 2), offsets(1 << 40, 2))
    for where in (5, -7, (1 << 40) + (1 << 31), 1 << 50):
        assert table.enter(numbered(where & 0xFFFF_FFFF_FFFF | 1 << 100), offsets(where, 1)).tolist() == [where]
        assert (table.enter(numbered(1, 2), offsets(1 << 51, 2)) == first).all()
    assert table.enter(numbered(1), offsets(1 << 52, 1), 1 << 51).tolist() == [1 << 52]
    list(table.rebuilding(1 << 51))
    assert len(table) == 1
    assert table.enter(numbered(1), offsets(1 << 53, 1)).tolist() == [1 << 52]


def test_a_redelivery_has_its_own_offset_and_a_copy_the_first_one_s() -> None:
    seen = SeenIds(Horizon(1000))
    assert seen.enter(numbered(1, 2, 1), offsets(10, 3)).tolist() == [10, 11, 10]
    assert seen.enter(numbered(1, 2), offsets(10, 2)).tolist() == [10, 11]
    assert seen.enter(numbered(2, 3), offsets(20, 2)).tolist() == [11, 21]


def test_the_same_id_of_another_tenant_is_another_event() -> None:
    seen = SeenIds(Horizon(1000))
    seen.enter(numbered(1), offsets(0, 1))
    assert seen.enter(numbered(1, tenant="globex"), offsets(1, 1)).tolist() == [1]


def test_what_is_older_than_the_horizon_is_forgotten() -> None:
    seen = SeenIds(Horizon(1000))
    for window in range(3):
        seen.enter(numbered(window), offsets(window, 1))
        seen.close_window(window, 100 * window, 1)
    seen.forget_before(150)

    assert seen.enter(numbered(0, 1, 2), offsets(10, 3)).tolist() == [10, 11, 2]


def test_beyond_the_most_ids_the_partition_with_the_most_forgets_its_oldest_window() -> None:
    horizon = Horizon(10)
    large, small = SeenIds(horizon), SeenIds(horizon)
    for window in range(4):
        large.enter(numbered(2 * window, 2 * window + 1), offsets(2 * window, 2))
        large.close_window(2 * window + 1, 0, 2)
    small.enter(numbered(1), offsets(0, 1))
    small.close_window(0, 0, 1)
    small.enter(numbered(2, 3), offsets(1, 2))
    small.close_window(2, 0, 2)

    assert horizon.live == 9
    assert small.enter(numbered(1), offsets(9, 1)).tolist() == [0]
    assert large.enter(numbered(2), offsets(20, 1)).tolist() == [2]
    assert large.enter(numbered(0), offsets(21, 1)).tolist() == [21]


def test_a_table_that_is_rebuilt_slice_by_slice_is_as_it_was_until_the_last_and_then_has_room() -> None:
    table, count = IdTable(), 100_000
    ids = np.random.default_rng(7).integers(0, 1 << 63, (count, 2), dtype=np.uint64)
    table.enter(ids, offsets(0, count))
    given_up = table.rebuilding(count // 2, spare=count)
    next(given_up)
    del given_up
    assert len(table) == count

    slices = sum(1 for _ in table.rebuilding(count // 2, spare=count))
    assert slices > count // (1 << 15)
    assert len(table) == count // 2
    assert table.has_room(count)
    assert (table.enter(ids, offsets(count, count), count // 2)[count // 2 :] == offsets(count // 2, count // 2)).all()


def test_made_ready_before_a_window_a_table_is_not_rebuilt_within_it_and_forgets_what_is_old() -> None:
    seen, window, ids = SeenIds(Horizon(20_000)), 1000, np.random.default_rng(7).integers(0, 1 << 63, (100_000, 2), dtype=np.uint64)
    sizes = set()
    for first in range(0, len(ids), window):
        list(seen.making_ready(window))
        before = seen.nbytes
        seen.enter(ids[first : first + window], offsets(first, window))
        assert seen.nbytes == before
        seen.close_window(first + window - 1, 0, window)
        sizes.add(before)

    assert seen.live == 20_000
    assert max(sizes) < 20_000 * 45


def test_what_the_ledger_says_is_remembered_slice_by_slice() -> None:
    count = 200_000
    ids = np.random.default_rng(7).integers(0, 1 << 63, (count, 2), dtype=np.uint64)
    deltas = np.arange(10_000, dtype="<u4").tobytes()
    rows = [
        Seen(ClaimId(1, 1), first, first + 9999, 0, deltas, ids[first : first + 10_000].tobytes())
        for first in range(0, count, 10_000)
    ]  # fmt: skip
    seen = SeenIds(Horizon(2 * count))
    slices = sum(1 for _ in seen.recalling(rows))

    assert slices >= count // 40_000
    assert seen.live == count
    assert (seen.enter(ids, offsets(count, count)) == offsets(0, count)).all()


@pytest.mark.parametrize("count", [0, 1])
def test_no_id_is_no_digest(count: int) -> None:
    assert numbered(*range(count)).shape == (count, 2)
