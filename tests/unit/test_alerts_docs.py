"""What docs/alerts.md shows is true: its file can be used, its snippet verifies what the client signs, its metrics exist."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import msgspec

from voc_stream.clients.webhook import signed
from voc_stream.events.alerts import AlertEvent
from voc_stream.runtime import metrics
from voc_stream.stages.alerts_file import parse_alerts

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_rules_file_can_be_used() -> None:
    rules = parse_alerts(block("toml"), {"ACME_WEBHOOK_SECRET": "a-made-up-secret-of-length"}, https_only=True)
    assert set(rules.of("globex").rules) == {"low-sentiment"}
    assert rules.of("acme").rules["low-sentiment"].thresholds == (-0.2, -0.1)
    assert rules.of("acme").webhook is not None


def test_the_snippet_accepts_what_the_client_signs_and_nothing_else() -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102 - our own page
    is_ours, secret, now = names["is_ours"], b"a-made-up-secret", int(time.time())
    assert is_ours(secret, signed(secret, now, b"{}"), b"{}")
    assert not is_ours(secret, signed(secret, now, b"{}"), b"{ }")
    assert not is_ours(b"another", signed(secret, now, b"{}"), b"{}")
    assert not is_ours(secret, signed(secret, now - 900, b"{}"), b"{}")


def test_the_value_has_the_fields_of_the_struct() -> None:
    assert set(msgspec.json.decode(block("json"))) == {field.name for field in msgspec.structs.fields(AlertEvent)}


def test_the_metrics_are_the_registry_s() -> None:
    named = set(re.findall(r"^\| `(voc_\w+)", PAGE, re.MULTILINE))
    known = {sample for family in metrics.REGISTRY.collect() for sample in (family.name, f"{family.name}_total")}
    assert len(named) == 5
    assert named <= known
