"""What the worker answers on the operator's port."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from voc_stream import probes
from voc_stream.services.watch import Recovery


@pytest.fixture
def ill() -> list[str]:
    """What a restart would mend."""
    return []


@pytest.fixture
def kit(ill: list[str]) -> Any:
    health = SimpleNamespace(ill_reasons=lambda: ill, recovery=Recovery(400, 1000))
    return SimpleNamespace(health=health, gates=(), helpers=(), pauses=SimpleNamespace(closed=list))


@pytest.fixture
def app(kit: Any) -> Any:
    consumer = SimpleNamespace(started=True, assignment=set)
    made = SimpleNamespace(pages={}, _consumer=consumer, consumer=consumer, rebalancing=False, in_recovery=True)
    probes.attach(made, kit)  # type: ignore[arg-type]
    return made


async def ask(app: Any, path: str) -> tuple[int, dict[str, Any]]:
    answer = await app.pages["GET", path](None)
    return answer.status, json.loads(answer.body)


async def test_a_worker_that_only_is_not_ready_is_alive(app: Any) -> None:
    assert await ask(app, "/healthz") == (200, {"status": "ok"})
    assert await ask(app, "/readyz") == (503, {"status": "not ready", "reasons": ["recovering its tables: 600 of 1000 changes read"]})


async def test_what_a_restart_would_mend_is_503_with_the_reason(app: Any, ill: list[str]) -> None:
    ill.append("score: no progress for 1300 s")

    assert await ask(app, "/healthz") == (503, {"status": "ill", "reasons": ["score: no progress for 1300 s"]})


async def test_what_comes_and_goes_is_told_beside_what_is_worked_without(app: Any, kit: Any) -> None:
    kit.gates = (SimpleNamespace(dependency="s3", is_open=True, flapping="it comes and goes: 3 times within 60 s"),)

    _, said = await ask(app, "/readyz")
    assert said["degraded"] == ["s3: it comes and goes: 3 times within 60 s"]
