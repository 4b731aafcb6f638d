"""`faust -A voc_stream …` as an operator runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from voc_stream.devstack.stack import Stack
from voc_stream.devstack.worker_process import ROOT

_OURS = (
    "KAFKA_",
    "POSTGRES_",
    "S3_",
    "CLICKHOUSE_",
    "AVAYA_",
    "SCORING_",
    "HTTP_",
    "OPERATOR_",
    "WEB_",
    "STATE_DIR",
    "APP_ENV",
    "TENANTS_FILE",
    "PII_",
)
_SECONDS = 120.0

# What the last line of a second run says.
VERIFIED = {"topics": " wanted, 0 created, 0 differences", "migrate": "clickhouse: up to date", "bucket": ": there, as expected"}
# A bad setting, and how the one line begins that it stops the worker with.
BAD = {
    "HTTP_PORT": ("70000", "HTTP_PORT: "),
    "PII_KEYS": ("k1:c2hvcnQ=", "PII_KEYS: each key is id:base64 of 32 bytes"),
    "BROKER_URL": ("kafka://elsewhere", "BROKER_URL is a setting of Faust's own"),
}
HELP = {"topics": "Create the Kafka topics", "migrate": "Apply the migrations", "bucket": "Create the bucket"}

Running = subprocess.Popen[str]


@pytest.fixture(scope="module")
def ran(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """Every command of this module, by what is asked of it; all run at once, since most of their time goes into imports."""
    state = tmp_path_factory.mktemp("state")
    commands = {name: _faust(stack, state, name) for name in VERIFIED}
    commands |= {name: _faust(stack, state, "worker", "-l", "info", **{name: value}) for name, (value, _) in BAD.items()}
    commands["--help"] = _faust(stack, state, "--help")
    yield commands
    for process in commands.values():
        process.kill()
        process.communicate()


def _faust(stack: Stack, state: Path, *arguments: str, **settings: str) -> Running:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    env = {**kept, "STACK_DIR": str(stack.folder.absolute()), "STATE_DIR": str(state), **settings}
    argv = [sys.executable, "-m", "faust", "-A", "voc_stream", *arguments]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env)


@pytest.mark.parametrize("command", VERIFIED)
def test_a_second_run_verifies_and_alters_nothing(ran: dict[str, Running], command: str) -> None:
    said, complained = ran[command].communicate(timeout=_SECONDS)
    assert (ran[command].returncode, complained) == (0, "")
    assert VERIFIED[command] in said.splitlines()[-1]
    assert "created" not in said.replace("0 created", "")


def test_the_help_lists_our_commands(ran: dict[str, Running]) -> None:
    said, _ = ran["--help"].communicate(timeout=_SECONDS)
    assert ran["--help"].returncode == 0
    lines = {words[0]: line for line in said.splitlines() if (words := line.split())}
    assert [command for command, words in HELP.items() if words not in lines.get(command, "")] == []


@pytest.mark.parametrize("setting", BAD)
def test_a_bad_setting_stops_the_worker_with_one_line_that_names_it(ran: dict[str, Running], setting: str) -> None:
    value, named = BAD[setting]
    said, complained = ran[setting].communicate(timeout=_SECONDS)
    assert ran[setting].returncode not in {0, None}
    lines = [line for line in (said + complained).splitlines() if line.strip()]
    assert len(lines) == 1
    assert named in lines[0]
    assert value not in lines[0]
