"""`.env.example` documents every setting, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voc_stream.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
ENTRY = re.compile(r"^([A-Z0-9_]+)=(.*)$", re.MULTILINE)


def documented() -> dict[str, str]:
    return dict(ENTRY.findall((ROOT / ".env.example").read_text(encoding="utf-8")))


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert set(documented()) == {name.upper() for name in Settings.model_fields}


def test_the_documented_values_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in documented():
        monkeypatch.delenv(name, raising=False)
    assert Settings(_env_file=ROOT / ".env.example") == Settings(_env_file=None)
