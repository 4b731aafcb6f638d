"""Ledgers: the position is the end of the contiguous resolved prefix, whatever the order (ADR 0002)."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.runtime.world import TOPIC, record
from voc_stream.runtime.ledger import PartitionLedger, RecordBatch


def ledger(position: int = 0, *, max_records: int = 100, max_bytes: int = 1 << 20) -> PartitionLedger:
    return PartitionLedger(position, max_records=max_records, max_bytes=max_bytes)


def add(to: PartitionLedger, *offsets: int, on_done: Any = None) -> RecordBatch:
    batch = RecordBatch(TOPIC, 0, [record(offset) for offset in offsets], ledger=to, on_done=on_done)
    to.add(batch)
    return batch


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[list[int]], list[int]]:
    """Offsets with holes, cut into batches, and an order in which some of them are resolved."""
    gaps = draw(st.lists(st.integers(1, 4), min_size=1, max_size=30))
    offsets = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    cuts = sorted(draw(st.sets(st.integers(1, len(offsets)), max_size=5)) | {len(offsets)})
    batches = [offsets[start:stop] for start, stop in zip([0, *cuts], cuts, strict=False)]
    order = draw(st.permutations(offsets))
    return [batch for batch in batches if batch], order[: draw(st.integers(0, len(order)))]


@given(history=_histories(), asked_often=st.booleans())
def test_in_any_order_of_resolving_the_position_is_the_end_of_the_resolved_prefix(
    *, history: tuple[list[list[int]], list[int]], asked_often: bool
) -> None:
    batches, order = history
    books = ledger(0)
    made = [add(books, *offsets) for offsets in batches]
    home = {offset: (batch, index) for batch in made for index, offset in enumerate(each.offset for each in batch.records)}
    everything = sorted(home)
    resolved: set[int] = set()
    for offset in order:
        batch, index = home[offset]
        batch.resolve(index)
        resolved.add(offset)
        unresolved = [each for each in everything if each not in resolved]
        if asked_often:
            _holds(books.position(), everything, unresolved)
        assert books.unresolved_records == len(unresolved)
    _holds(books.position(), everything, [each for each in everything if each not in resolved])


def _holds(position: int, everything: list[int], unresolved: list[int]) -> None:
    """Everything below the position is resolved, and it could not be further along than the next record."""
    before = [offset for offset in everything if not unresolved or offset < unresolved[0]]
    assert all(offset >= position for offset in unresolved)
    assert all(offset < position for offset in before)
    assert position <= (unresolved[0] if unresolved else everything[-1] + 1)


def test_before_anything_is_resolved_the_position_is_where_reading_began() -> None:
    books = ledger(7)
    add(books, 10, 11)

    assert books.position() == 7


def test_a_batch_tells_once_when_its_last_record_is_resolved() -> None:
    told: list[str] = []
    batch = add(ledger(), 0, 1, on_done=lambda: told.append("done"))
    batch.resolve(1)
    batch.resolve(1)
    assert told == []
    batch.resolve(0)
    batch.resolve(0)
    batch.resolve_all()

    assert told == ["done"]


def test_all_records_can_be_resolved_at_once_also_after_some_were() -> None:
    books = ledger()
    batch = add(books, 0, 1, 2)
    batch.resolve(1)
    batch.resolve_all()

    assert books.position() == 3
    assert books.unresolved_records == 0
    assert batch.first_unresolved() == 3


def test_a_closed_ledger_ignores_what_is_resolved_and_forgets_the_rest() -> None:
    told: list[str] = []
    books = ledger()
    batch = add(books, 0, 1, on_done=lambda: told.append("done"))
    batch.resolve(0)
    books.close()
    batch.resolve(1)
    batch.resolve_all()

    assert told == []
    assert books.unresolved_records == 0
    assert not batch.live
    assert batch.pending == 1


def test_a_partition_that_is_let_go_begins_nothing_but_counts_what_ends() -> None:
    books = ledger()
    batch = add(books, 0)
    books.let_go()
    assert not batch.live
    batch.resolve(0)

    assert books.position() == 1


@pytest.mark.parametrize(("max_records", "max_bytes"), [(4, 1 << 20), (100, 4 * len(b"key" + record(0).value))])
def test_a_partition_is_full_in_records_or_bytes_and_roomy_again_at_half(max_records: int, max_bytes: int) -> None:
    books = ledger(max_records=max_records, max_bytes=max_bytes)
    batches = [add(books, offset) for offset in range(4)]
    assert books.full
    batches[0].resolve(0)
    assert not books.full
    assert not books.roomy
    batches[3].resolve(0)
    assert books.roomy


def test_bytes_count_until_the_whole_batch_is_resolved() -> None:
    books = ledger()
    batch = add(books, 0, 1)
    batch.resolve(0)
    assert books.unresolved_bytes == batch.bytes
    batch.resolve(1)
    assert books.unresolved_bytes == 0


def test_a_record_without_a_key_or_a_value_has_no_bytes() -> None:
    tombstone = record(0, b"", key=None)
    batch = RecordBatch(TOPIC, 0, [tombstone], ledger=ledger())

    assert batch.bytes == 0
    assert len(batch) == 1


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _referred_to(books: PartitionLedger, end: Callable[[RecordBatch, PartitionLedger], None]) -> weakref.ref[Any]:
    """End a batch that its own end's hearer refers to, as Faust's message does; returns a look at one of its records."""
    message: list[RecordBatch] = []
    batch = add(books, 1, 2, on_done=message.copy)
    message.append(batch)
    end(batch, books)
    return weakref.ref(batch.records[0])


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("end", [lambda batch, _books: batch.resolve_all(), lambda _batch, books: books.close()], ids=["resolved", "closed"])
def test_the_records_of_a_batch_are_freed_with_its_end_and_not_by_the_collector(end: Callable[[RecordBatch, PartitionLedger], None]) -> None:
    books = ledger()
    assert _referred_to(books, end)() is None
