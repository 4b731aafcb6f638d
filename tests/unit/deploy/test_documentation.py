"""What the documentation's site makes by itself (`deploy/docs`)."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.unit.deploy.test_prometheus import ROOT
from voc_stream.settings import Settings

SITE: dict[str, Any] = runpy.run_path(str(ROOT / "deploy" / "docs" / "site.py"))
PAGE: Callable[[str], Iterable[str]] = SITE["page"]


def test_every_setting_is_on_the_page_with_what_it_means() -> None:
    rows = {line.split("`")[1]: line for line in PAGE((ROOT / ".env.example").read_text(encoding="utf-8")) if line.startswith("| `")}
    assert {name.lower() for name in rows} == set(Settings.model_fields)
    explained = [row for row in rows.values() if row.split("|")[3].strip()]
    assert len(explained) > 0.6 * len(rows)


def test_a_folder_in_the_navigation_becomes_its_pages(tmp_path: Path) -> None:
    (tmp_path / "adr").mkdir()
    for name in ("0002-b.md", "0001-a.md"):
        (tmp_path / "adr" / name).touch()
    assert SITE["listed"](["index.md", {"Decisions": "adr"}], tmp_path) == ["index.md", {"Decisions": ["adr/0001-a.md", "adr/0002-b.md"]}]
