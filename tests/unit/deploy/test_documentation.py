"""The documentation's generated page of settings (`deploy/docs`)."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterable

from tests.unit.deploy.test_prometheus import ROOT
from voc_stream.settings import Settings

PAGE: Callable[[str], Iterable[str]] = runpy.run_path(str(ROOT / "deploy" / "docs" / "configuration.py"))["page"]


def test_every_setting_is_on_the_page_with_what_it_means() -> None:
    rows = {line.split("`")[1]: line for line in PAGE((ROOT / ".env.example").read_text(encoding="utf-8")) if line.startswith("| `")}
    assert {name.lower() for name in rows} == set(Settings.model_fields)
    explained = [row for row in rows.values() if row.split("|")[3].strip()]
    assert len(explained) > 0.6 * len(rows)
