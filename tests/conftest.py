"""``pytest`` alone runs what needs no servers; ``pytest --integration`` runs the rest, too, on one stack for the whole session."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.stack import Stack
from voc_stream.settings import Settings, load_settings

ROOT = Path(__file__).parent.parent
_NEEDS_STACK = tuple(ROOT / "tests" / folder for folder in ("integration", "chaos"))
_OWN_STACKS = ROOT / ".stack-test"
# Hearing words takes a processor seconds a call; tests that are about words run a scoring service of their own.
_WITHOUT_WORDS = {"SCORER_ASR": "off"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--integration", action="store_true", help="also run the tests that need the stack's servers")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies under integration/ and chaos/; without ``--integration`` leave it out."""
    for item in items:
        if any(folder in item.path.parents for folder in _NEEDS_STACK):
            item.add_marker(pytest.mark.integration)
    if config.getoption("--integration"):
        return
    left_out = [item for item in items if item.get_closest_marker("integration")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("integration")]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack in STACK_DIR (or ``.stack``) if one runs there, else one of our own: free ports, an empty folder, an empty recorder."""
    running = Stack(Path(os.environ.get("STACK_DIR") or ROOT / ".stack"))
    if _is_complete(running):
        yield running
        return
    _remove_what_killed_sessions_left()
    _OWN_STACKS.mkdir(exist_ok=True)
    own = Stack(Path(tempfile.mkdtemp(prefix="run-", dir=_OWN_STACKS)), any_ports=True, recorder_args=("--calls", "0"), env=_WITHOUT_WORDS)
    try:
        with own:
            yield own
    finally:
        StackFolder(own.folder).remove()


@pytest.fixture
def settings(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a worker on the stack; processes that a test starts find it, too."""
    monkeypatch.setenv("STACK_DIR", str(stack.folder.absolute()))
    return load_settings()


def _remove_what_killed_sessions_left() -> None:
    for folder in _OWN_STACKS.glob("run-*"):
        with contextlib.suppress(StackError):  # another session's, running
            StackFolder(folder).remove()


def _is_complete(stack: Stack) -> bool:
    try:
        states = stack.status()
    except StackError:
        return False
    return bool(stack.endpoints) and all(state == "running" for state in states.values())
