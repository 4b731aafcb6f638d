"""Small stacks for tests that hurt them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.stack import Stack


@pytest.fixture
def small_stack(tmp_path: Path) -> Iterator[Stack]:
    """PostgreSQL and ClickHouse, started, on free ports; stopped and removed at the end."""
    yield from _small_stack(tmp_path)


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The same for all tests of a module that leave its parts running."""
    yield from _small_stack(tmp_path_factory.mktemp("shared"))


def _small_stack(base: Path) -> Iterator[Stack]:
    stack = Stack(base / "stack", parts=("postgres", "clickhouse"), any_ports=True)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        StackFolder(stack.folder).remove()
