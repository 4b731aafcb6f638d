"""What the images are made of (`deploy/supply_chain.py`)."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.unit.deploy.test_prometheus import ROOT

SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "deploy" / "supply_chain.py"))


def test_a_known_weakness_fails_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = [
        {"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]},
        {"name": "b", "version": "1", "vulns": []},
        {"name": "c", "skip_reason": "not known"},
    ]
    assert SCRIPT["told"](found) == 1
    assert capsys.readouterr().out.splitlines() == ["a 1: CVE-1", "audit: 2 packages audited, 1 weak; of 1 the advisory data cannot be had here"]


def test_without_one_it_passes_and_says_of_how_many_it_knows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPT["told"]([{"name": "c", "skip_reason": "not known"}]) == 0
    assert "0 packages audited, 0 weak; of 1" in capsys.readouterr().out


def test_the_packages_of_every_image_are_looked_at() -> None:
    assert {"faust-streaming", "faster-whisper", "onnxruntime"} <= set(SCRIPT["packages"]())
