"""Alerts and recording rules (`deploy/prometheus`): their metrics exist, they fire when they should, and each has a runbook that works."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from faust.cli.faust import cli as faust_cli

import voc_stream
from tests.unit.deploy.expressions import exported, metrics_of, unknown_metrics

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
COMMAND = re.compile(r"^(?:faust -A voc_stream (?P<faust>.+)|curl -s localhost:8001(?P<path>/\S+))$")
PAGES = {"/healthz", "/readyz", "/metrics"}


def rules_of(name: str) -> list[dict[str, Any]]:
    document = yaml.safe_load((RULES / name).read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


ALERTS = rules_of("alerts.yml")
RECORDED = {rule["record"] for rule in rules_of("recording.yml")}
PAGES_OF_BOOKS = sorted(RUNBOOKS.glob("*.md"))


@pytest.mark.parametrize("rule", [*ALERTS, *rules_of("recording.yml")], ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_expression_uses_metrics_that_the_code_exports(rule: dict[str, Any]) -> None:
    assert metrics_of(rule["expr"])
    assert unknown_metrics(rule["expr"], RECORDED) == set()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_says_how_bad_it_is_what_happened_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["for"]
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"]
    assert (ROOT / alert["annotations"]["runbook_url"]).is_file()


def test_there_is_no_runbook_without_its_alert() -> None:
    assert {page.name for page in PAGES_OF_BOOKS} == {Path(alert["annotations"]["runbook_url"]).name for alert in ALERTS}


@pytest.mark.parametrize("page", PAGES_OF_BOOKS, ids=lambda page: page.stem)
def test_each_runbook_has_commands_and_all_of_them_exist(page: Path) -> None:
    commands = list(commands_of(page.read_text(encoding="utf-8")))
    assert commands
    for line in commands:
        found = COMMAND.match(line)
        assert found, line
        if found["path"]:
            assert found["path"] in PAGES, line
        else:
            parsed(shlex.split(found["faust"]))


@pytest.mark.parametrize("page", PAGES_OF_BOOKS, ids=lambda page: page.stem)
def test_each_metric_that_a_runbook_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for expression in re.findall(r"`((?:voc[_:]|kafka_|scoring_|queue_|ingest_|download_)[^`]*)`", text):
        families = {name.removesuffix("_count") for name in exported() if name.endswith("_count")}
        assert unknown_metrics(expression, RECORDED | families) == set()


def test_a_metric_that_nobody_exports_is_found() -> None:
    assert unknown_metrics('rate(voc_events_consumed_total[5m]) + sum by (topic) (voc_misspelt_total{topic="a"})', set()) == {"voc_misspelt_total"}
    assert unknown_metrics("voc_events_consumed", set()) == {"voc_events_consumed"}, "the exposition adds _total"
    assert unknown_metrics("voc_batch_process_seconds_sum / voc_batch_process_seconds_count", set()) == set()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: Debian's package prometheus has it")
@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "recording.yml", "alerts.yml"), ("check", "config", "prometheus.yml"), ("test", "rules", "tests/alerts.yml")],
    ids=" ".join,
)
def test_promtool_finds_nothing_and_its_tests_of_the_alerts_pass(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=RULES, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603, S607 - fixed words
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_in_promtool_s_tests() -> None:
    tests = (RULES / "tests" / "alerts.yml").read_text(encoding="utf-8")
    assert {alert["alert"] for alert in ALERTS if alert["alert"] not in tests} == set()


def commands_of(text: str) -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        yield from (line for line in block.splitlines() if line)


def parsed(words: list[str]) -> None:
    """Parse a command line as Faust would, without running it."""
    assert voc_stream.app  # its commands are added to Faust's
    name, *arguments = words
    command = faust_cli.commands[name]
    context = command.make_context(name, arguments, parent=click.Context(faust_cli, obj={}), resilient_parsing=False)
    assert context.command is command
