"""Stages are pure: importing them brings in neither Faust nor any client (architecture)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import voc_stream.stages

FORBIDDEN = {"faust", "aiokafka", "asyncpg", "aiohttp", "os"}
FILES = sorted(Path(voc_stream.stages.__path__[0]).glob("*.py"))


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stage_imports_no_faust_no_client_and_no_os(path: Path) -> None:
    assert not _imported(path) & FORBIDDEN


def test_all_stages_together_load_neither_faust_nor_a_client() -> None:
    modules = ", ".join(f"voc_stream.stages.{path.stem}" for path in FILES if path.stem != "__init__")
    loaded = f"import sys, {modules}; print(*sorted({{'faust', 'aiokafka', 'asyncpg', 'aiohttp'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter

    assert found.stdout.split() == []
