"""Where the compatibility test has the code of the release before from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.compatibility.previous import baseline, unpack, why_not


def test_the_release_before_is_named_in_full() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}|v\d+\.\d+\.\d+", baseline())


def test_a_history_without_it_is_a_reason_to_skip(tmp_path: Path) -> None:
    assert "exported" in str(why_not(baseline(), tmp_path))
    assert "shallow" in str(why_not("0" * 40))


def test_its_worker_is_unpacked(tmp_path: Path) -> None:
    if reason := why_not(baseline()):
        pytest.skip(reason)
    assert (unpack(baseline(), tmp_path) / "voc_stream" / "factory.py").exists()
