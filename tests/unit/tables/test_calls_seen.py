"""Dedup's memory: acknowledged by its changelog before it is in RocksDB (spec section 2.2)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from tables.calls_seen import CallsSeen
from tests.fakes.table import FakeTable
from tests.unit.services.made import FakePublisher
from voc_stream.errors import OutageError

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
    await scene.seen.remember(3, {"a": 17, "b": 18})

    assert scene.seen.lookup(3, {"a", "b", "c"}) == {"a": 17, "b": 18}
    assert scene.seen.lookup(4, {"a"}) == {}


async def test_the_changelog_gets_one_row_a_call_in_the_source_s_partition_and_the_table_knows_how_far_it_is() -> None:
    scene = Scene()
    await scene.seen.remember(3, {"a": 17, "b": 18})

    assert [(record.topic, record.partition, record.key, record.value) for record in scene.publisher.published] == [
        (CHANGELOG, 3, b"a", b"17"),
        (CHANGELOG, 3, b"b", b"18"),
    ]
    assert scene.table.persisted == {TP(CHANGELOG, 3): 1}


async def test_nothing_is_remembered_before_the_changelog_has_acknowledged_it() -> None:
    scene = Scene()
    scene.publisher.faults.append(OutageError("kafka", "no broker"))
    with pytest.raises(OutageError):
        await scene.seen.remember(3, {"a": 17})

    assert scene.seen.lookup(3, {"a"}) == {}


async def test_nothing_new_writes_nothing() -> None:
    scene = Scene()
    await scene.seen.remember(3, {})

    assert scene.publisher.published == []


def test_memory_for_a_partition_is_bounded_and_the_driver_is_pinned() -> None:
    options = Scene().options

    assert options["partitions"] == 12
    assert options["options"]["driver"] == "rocksdict"
    assert options["options"]["block_cache_size"] <= 8 << 20
