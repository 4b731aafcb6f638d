"""Grafana's dashboards (`deploy/grafana`): made by the script, over metrics that exist."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.deploy.expressions import unknown_metrics
from tests.unit.deploy.test_prometheus import RECORDED, ROOT

FOLDER = ROOT / "deploy" / "grafana"
DASHBOARDS: dict[str, Callable[[], dict[str, Any]]] = runpy.run_path(str(FOLDER / "build.py"))["DASHBOARDS"]
TARGETS = [(name, panel["title"], target) for name, make in DASHBOARDS.items() for panel in make()["panels"] for target in panel["targets"]]
EXPRESSIONS = {f"{name}: {title}, {target['refId']}": target["expr"] for name, title, target in TARGETS if "expr" in target}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_file_is_what_the_script_writes(name: str) -> None:
    assert json.loads((FOLDER / "dashboards" / f"{name}.json").read_text(encoding="utf-8")) == DASHBOARDS[name]()


def test_there_is_no_dashboard_beside_the_script_s() -> None:
    assert {path.stem for path in Path(FOLDER / "dashboards").iterdir()} == set(DASHBOARDS)


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_every_expression_uses_metrics_that_the_code_exports(expression: str) -> None:
    assert unknown_metrics(expression, RECORDED) == set()


@pytest.mark.parametrize(
    "wanted", ["rate(voc_events_consumed_total[5m])", "rate(voc_batch_process_seconds_bucket[5m])", "sum by (topic, group) (kafka_consumer_lag)"]
)
def test_the_expressions_that_operators_ask_for_are_there(wanted: str) -> None:
    assert any(wanted in expression for expression in EXPRESSIONS.values())


def test_panels_do_not_overlap() -> None:
    for make in DASHBOARDS.values():
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in make()["panels"]]
        assert len(set(places)) == len(places)
