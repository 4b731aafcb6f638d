"""The first hour can be typed as it is printed: each of its commands exists, with these options (docs/first-hour.md)."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tests.unit.deploy.test_prometheus import parsed
from voc_stream.devstack.cli import main as devstack

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "first-hour.md").read_text(encoding="utf-8")
LINES = re.findall(r"^    (\S.*)$", PAGE, re.MULTILINE)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_there_are_commands_to_type() -> None:
    assert len(LINES) >= 10


@pytest.mark.parametrize("line", LINES)
def test_each_line_is_a_command_that_exists(line: str) -> None:
    words = shlex.split(line)
    match words:
        case ["make", target, *settings]:
            assert target in TARGETS
            assert all(re.fullmatch(r"[A-Z]+=\w+", setting) for setting in settings)
        case [".venv/bin/faust", "-A", "voc_stream", *arguments]:
            parsed(arguments)
        case [".venv/bin/python", "-m", "voc_stream.devstack", name, *arguments]:
            assert isinstance(devstack, click.Group)
            command = devstack.commands[name]
            assert command.make_context(name, arguments).command is command
        case ["curl", *_]:
            assert "localhost:8001/" in line
        case _:
            assert words[0] in {"kill", "pkill"}, line
