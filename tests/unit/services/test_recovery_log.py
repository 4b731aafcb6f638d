"""A recovery in the log: its begin, how far it is every few seconds, and its end."""

from __future__ import annotations

from typing import Any

import pytest

from voc_stream.runtime import metrics
from voc_stream.services import recovery_log
from voc_stream.services.recovery_log import RecoveryLog
from voc_stream.services.watch import Recovery


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(recovery_log.logger, "info", lambda event, **fields: lines.append({"event": event, **fields}))
    return lines


def test_a_recovery_is_told_at_its_begin_every_five_seconds_and_at_its_end(said: list[dict[str, Any]]) -> None:
    now = [0.0]
    log = RecoveryLog(lambda: now[0])
    log.look(None)
    log.look(Recovery(0, 0))
    for remaining in range(1000, 0, -100):
        now[0] += 1.0
        log.look(Recovery(remaining, 1000))
    assert metrics.REGISTRY.get_sample_value("voc_recovery_remaining") == 100
    now[0] += 1.0
    log.look(None)
    log.look(None)

    assert said == [
        {"event": "recovering tables", "remaining": 1000, "total": 1000},
        {"event": "recovering tables", "remaining": 500, "total": 1000},
        {"event": "tables recovered", "changes": 1000, "seconds": 10.0},
    ]
    assert metrics.REGISTRY.get_sample_value("voc_recovery_remaining") == 0


def test_a_recovery_that_has_nothing_to_read_is_not_told(said: list[dict[str, Any]]) -> None:
    log = RecoveryLog()
    log.look(Recovery(0, 0))
    log.look(None)

    assert said == []
