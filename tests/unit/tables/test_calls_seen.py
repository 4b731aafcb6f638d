"""Dedup's memory: acknowledged by its changelog before it is in RocksDB (spec section 2.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from tables.calls_seen import CallsSeen
from tests.fakes.table import FakeTable, Rows
from tests.unit.services.made import FakePublisher
from voc_stream.errors import OutageError
from voc_stream.runtime import metrics

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
CHANGELOG = "voc-processor-calls-seen-changelog"


class Scene:
    def __init__(self) -> None:
        self.table, self.publisher = FakeTable(CHANGELOG), FakePublisher()
        app: Any = SimpleNamespace(Table=self._made)
        self.options: dict[str, Any] = {}
        self.seen = CallsSeen(app, 12, self.publisher)  # type: ignore[arg-type]

    def _made(self, _name: str, **options: Any) -> FakeTable:
        self.options = options
        return self.table


async def test_what_is_remembered_is_found_again_in_its_partition_only() -> None:
    scene = Scene()
    await scene.seen.remember(3, {"a": 17, "b": 18}, NOW)

    assert scene.seen.lookup(3, {"a", "b", "c"}) == {"a": 17, "b": 18}
    assert scene.seen.lookup(4, {"a"}) == {}


async def test_the_changelog_gets_one_row_a_call_in_the_source_s_partition_and_the_table_knows_how_far_it_is() -> None:
    scene = Scene()
    await scene.seen.remember(3, {"a": 17, "b": 18}, NOW)

    assert [(record.topic, record.partition, record.key, record.value) for record in scene.publisher.published] == [
        (CHANGELOG, 3, b"a", b"17 %d" % NOW.timestamp()),
        (CHANGELOG, 3, b"b", b"18 %d" % NOW.timestamp()),
    ]
    assert scene.table.persisted == {TP(CHANGELOG, 3): 1}


async def test_nothing_is_remembered_before_the_changelog_has_acknowledged_it() -> None:
    scene = Scene()
    scene.publisher.faults.append(OutageError("kafka", "no broker"))
    with pytest.raises(OutageError):
        await scene.seen.remember(3, {"a": 17}, NOW)

    assert scene.seen.lookup(3, {"a"}) == {}


async def test_nothing_new_writes_nothing() -> None:
    scene = Scene()
    await scene.seen.remember(3, {}, NOW)

    assert scene.publisher.published == []


def test_memory_for_a_partition_is_bounded_and_the_driver_is_pinned() -> None:
    options = Scene().options

    assert options["partitions"] == 12
    assert options["options"]["driver"] == "rocksdict"
    assert options["options"]["block_cache_size"] <= 8 << 20


async def test_what_is_older_than_the_window_goes_from_changelog_and_table_and_the_rest_stays() -> None:
    scene = Scene()
    await scene.seen.remember(3, {"old": 1}, NOW - timedelta(hours=3))
    await scene.seen.remember(3, {"new": 2}, NOW)
    await scene.seen.forget(3, NOW - timedelta(hours=2), 1)

    assert scene.seen.lookup(3, {"old", "new"}) == {"new": 2}
    assert [(row.key, row.value) for row in scene.publisher.published[2:]] == [(b"old", None)]
    assert scene.table.persisted == {TP(CHANGELOG, 3): 0}


async def test_a_row_of_before_rows_had_a_time_is_old() -> None:
    scene = Scene()
    scene.table.partitions[3] = Rows({b"a": b"17"})
    assert scene.seen.lookup(3, {"a"}) == {"a": 17}

    await scene.seen.forget(3, NOW, 0)
    assert scene.seen.lookup(3, {"a"}) == {}


async def test_the_offset_that_faust_keeps_among_the_rows_is_no_row() -> None:
    scene = Scene()
    scene.table.partitions[3] = Rows({b"__faust\0offset__": b"17"})
    await scene.seen.forget(3, NOW, 0)

    assert scene.publisher.published == []


@pytest.mark.parametrize("a_chunk", [10, 100])
async def test_the_table_never_holds_more_than_one_and_a_quarter_of_what_comes_within_the_window(a_chunk: int) -> None:
    scene, rows, most = Scene(), 2400, 0
    within = rows // 4
    for first in range(0, rows, a_chunk):
        now = NOW + timedelta(seconds=first)
        await scene.seen.remember(3, {f"{number * 7919 % rows:05}": number for number in range(first, first + a_chunk)}, now)
        await scene.seen.forget(3, now - timedelta(seconds=within), a_chunk)
        most = max(most, len(scene.table.partitions[3]))
    scene.seen.measure()

    assert within <= most <= 1.25 * within + 2 * a_chunk
    assert metrics.REGISTRY.get_sample_value("voc_table_rows", {"table": "calls-seen"}) == len(scene.table.partitions[3])


async def test_without_room_on_the_disk_nothing_is_kept_and_the_same_again_mends_it() -> None:
    scene = Scene()
    scene.table.faults.append(OutageError("state", "no space is left"))
    with pytest.raises(OutageError):
        await scene.seen.remember(3, {"a": 17}, NOW)
    assert scene.table.persisted == {}

    await scene.seen.remember(3, {"a": 17}, NOW)
    assert scene.seen.lookup(3, {"a"}) == {"a": 17}
