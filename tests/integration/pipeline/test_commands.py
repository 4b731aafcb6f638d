"""`faust -A voc_stream …` as an operator runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voc_stream.devstack.stack import Stack
from voc_stream.devstack.worker_process import ROOT

_OURS = ("KAFKA_", "POSTGRES_", "S3_", "CLICKHOUSE_", "AVAYA_", "SCORING_", "HTTP_", "STATE_DIR", "APP_ENV", "TENANTS_FILE", "PII_")


def _faust(stack: Stack, state: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    env = {**kept, "STACK_DIR": str(stack.folder.absolute()), "STATE_DIR": str(state), **settings}
    argv = [sys.executable, "-m", "faust", "-A", "voc_stream", *arguments]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120, cwd=ROOT, env=env)


@pytest.mark.parametrize(
    ("command", "verified"),
    [("topics", " wanted, 0 created, 0 differences"), ("migrate", "clickhouse: up to date"), ("bucket", ": there, as expected")],
)
def test_a_second_run_verifies_and_alters_nothing(stack: Stack, tmp_path: Path, command: str, verified: str) -> None:
    done = _faust(stack, tmp_path, command)
    assert (done.returncode, done.stderr) == (0, "")
    last = done.stdout.splitlines()[-1]
    assert verified in last
    assert "created" not in last.replace("0 created", "")


def test_the_help_lists_our_commands(stack: Stack, tmp_path: Path) -> None:
    done = _faust(stack, tmp_path, "--help")
    assert done.returncode == 0
    for command, words in (("topics", "Create the Kafka topics"), ("migrate", "Apply the migrations"), ("bucket", "Create the bucket")):
        assert any(line.split()[:1] == [command] and words in line for line in done.stdout.splitlines()), command


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"HTTP_PORT": "70000"}, "HTTP_PORT: "),
        ({"PII_KEYS": "k1:c2hvcnQ="}, "PII_KEYS: "),
        ({"BROKER_URL": "kafka://elsewhere"}, "BROKER_URL is a setting of Faust's own"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_setting_stops_the_worker_with_one_line_that_names_it(stack: Stack, tmp_path: Path, settings: dict[str, str], named: str) -> None:
    done = _faust(stack, tmp_path, "worker", "-l", "info", **settings)
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1
    assert named in lines[0]
    assert "c2hvcnQ=" not in lines[0]
