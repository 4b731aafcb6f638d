"""The ledger of windows: acknowledged rows only, in the changelog's order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from tables.event_ranges import EventRanges
from tests.fakes.table import FakeTable
from tests.unit.services.made import FakePublisher
from voc_stream.errors import OutageError

CHANGELOG = "voc-processor-event-ranges-changelog"


class Scene:
    def __init__(self) -> None:
        self.table, self.publisher, self.options = FakeTable(CHANGELOG), FakePublisher(), dict[str, Any]()
        app: Any = SimpleNamespace(Table=self._made)
        publisher: Any = self.publisher
        self.ranges = EventRanges(app, 12, publisher)

    def _made(self, _name: str, **options: Any) -> FakeTable:
        self.options = options
        return self.table


async def test_a_row_is_in_the_changelog_s_partition_when_sent_and_in_the_table_when_kept() -> None:
    scene = Scene()
    offset = await scene.ranges.send(4, [(b"a", b"1"), (b"b", b"2")])
    assert [(row.topic, row.partition, row.key, row.value) for row in scene.publisher.published] == [
        (CHANGELOG, 4, b"a", b"1"),
        (CHANGELOG, 4, b"b", b"2"),
    ]
    assert scene.ranges.get(4, b"a") is None

    scene.ranges.keep(4, [(b"a", b"1"), (b"b", b"2")], offset)
    assert scene.ranges.get(4, b"a") == b"1"
    assert scene.table.persisted == {TP(CHANGELOG, 4): 1}


async def test_a_row_without_a_value_is_removed() -> None:
    scene = Scene()
    scene.ranges.keep(4, [(b"a", b"1")], 0)
    scene.ranges.keep(4, [(b"a", None)], await scene.ranges.send(4, [(b"a", None)]))
    assert scene.ranges.get(4, b"a") is None


def test_the_rows_of_a_prefix_are_read_and_no_others() -> None:
    scene = Scene()
    scene.ranges.keep(4, [(b"1:t:4:a", b"1"), (b"1:t:4:b", b"2"), (b"1:t:40:a", b"3"), (b"1:s:4:a", b"4"), (b"__faust", b"5")], 0)
    assert list(scene.ranges.rows(4, b"1:t:4:")) == [(b"1:t:4:a", b"1"), (b"1:t:4:b", b"2")]


async def test_nothing_is_kept_of_what_was_not_acknowledged() -> None:
    scene = Scene()
    scene.publisher.faults.append(OutageError("kafka", "no broker"))
    with pytest.raises(OutageError):
        await scene.ranges.send(4, [(b"a", b"1")])
    assert scene.table.partitions == {}


def test_a_partition_has_one_writer_at_a_time_and_little_memory() -> None:
    scene = Scene()
    assert scene.ranges.writer(4) is scene.ranges.writer(4)
    assert scene.ranges.writer(4) is not scene.ranges.writer(5)
    assert scene.options["partitions"] == 12
    assert scene.options["options"]["block_cache_size"] + scene.options["options"]["write_buffer_size"] <= 8 << 20
