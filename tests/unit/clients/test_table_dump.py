"""Which rows of a table go into which file, and in which order tables are made."""

from __future__ import annotations

from voc_stream.clients.table_dump import ROWS, Stretch, Table, is_made_last, stretches_of


def test_small_parts_share_a_file_and_large_ones_have_several() -> None:
    parts = [("a", 10), ("b", ROWS - 10), ("c", 1), ("d", 2 * ROWS + 5), ("e", 2)]
    found = list(stretches_of(parts))
    assert found == [
        Stretch(["a", "b"]),
        Stretch(["d"], 0, ROWS),
        Stretch(["d"], ROWS, 2 * ROWS),
        Stretch(["d"], 2 * ROWS, 2 * ROWS + 5),
        Stretch(["c", "e"]),
    ]
    assert list(stretches_of([])) == []


def test_tables_come_before_what_refers_to_them_and_what_feeds_them_comes_last() -> None:
    engines = ["MaterializedView", "View", "ReplacingMergeTree", "Join"]
    tables = sorted((Table("t", engine, "") for engine in engines), key=lambda table: table.rank)
    assert [table.engine for table in tables] == ["Join", "ReplacingMergeTree", "View", "MaterializedView"]
    assert [is_made_last(table) for table in tables] == [False, False, False, True]


def test_rows_of_views_and_of_what_is_made_anew_before_an_exchange_are_not_kept() -> None:
    kept = {(name, engine): Table(name, engine, "").has_rows for name, engine in (
        ("voc_events", "MergeTree"), ("voc_sums_rebuilt", "SummingMergeTree"), ("voc_hold", "Join"), ("voc_sums_feed", "MaterializedView"),
    )}  # fmt: skip
    assert [name for (name, _), has_rows in kept.items() if has_rows] == ["voc_events"]
