"""docs/capacity.md says what the model says, and the command says it, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from voc_stream.capacity import command
from voc_stream.capacity.measured import MEASURED
from voc_stream.capacity.tables import shown, with_tables
from voc_stream.settings import load_settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "capacity.md"
ASKED = {
    "calls_per_hour": 10_000.0,
    "events_per_second": 1_000.0,
    "mean_of_peak": 0.5,
    "call_seconds": 180.0,
    "recording_bytes_per_second": 32_000.0,
    "replay_seconds": 1.0,
    "busy": 0.7,
    "replication": 3,
    "copies": 2,
    "event_days": 365.0,
}
NO_PRICES = dict.fromkeys(("core_hour", "memory_gib_hour", "disk_gib_month", "object_gib_month", "archive_gib_month", "thousand_puts"))


def test_the_tables_are_what_the_model_makes() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_tables(text, MEASURED) == text, "faust -A voc_stream capacity --write docs/capacity.md"


async def test_writing_changes_the_tables_alone(tmp_path: Path) -> None:
    old = tmp_path / "capacity.md"
    old.write_text("before\n<!-- capacity:begin -->\nold\n<!-- capacity:end -->\nafter\n<!-- measured:begin --><!-- measured:end -->\nlast\n")
    assert await command.run(load_settings(), print, write=old) == 0
    text = old.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- capacity:begin -->\n| calls an hour")
    assert "<!-- capacity:end -->\nafter\n" in text
    assert text.endswith("<!-- measured:end -->\nlast\n")
    assert "\nold\n" not in text
    assert with_tables(text, MEASURED) == text


def test_a_document_without_the_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="not found"):
        with_tables("nothing to be seen", MEASURED)


async def test_the_command_tells_each_figure_and_last_the_sum() -> None:
    lines: list[str] = []
    assert await command.run(load_settings(), lines.append, write=None, **ASKED, **NO_PRICES) == 0
    assert any(line.startswith("workers ") for line in lines)
    assert lines[-1].startswith("capacity: workers=")
    assert not any("costs" in line for line in lines)


async def test_with_prices_it_tells_a_cost_and_what_had_none() -> None:
    lines: list[str] = []
    await command.run(load_settings(), lines.append, write=None, **ASKED, **(NO_PRICES | {"core_hour": 0.05}))
    assert "a month costs" in lines[-2]
    assert "disk_gib_month" in lines[-2]


@pytest.mark.parametrize(("value", "text"), [(None, ""), (0, "0"), (0.01, "under 0.1"), (0.263, "0.26"), (1.087, "1.09"), (1234.5, "1,234")])
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert shown(value) == text
