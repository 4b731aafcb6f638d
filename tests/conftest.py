"""``pytest`` alone runs what needs no servers; ``pytest --integration`` runs the rest, too, on one stack for the whole session.

What is marked ``chaos`` or ``compatibility`` takes minutes: it runs only where ``-m`` asks for it, and in `make chaos` and `make test-compat`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from tests.tally import Tally
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.stack import Stack
from voc_stream.settings import Settings, load_settings

ROOT = Path(__file__).parent.parent
_CHAOS = ROOT / "tests" / "chaos"
_COMPATIBILITY = ROOT / "tests" / "compatibility"
_NEEDS_STACK = (ROOT / "tests" / "integration", ROOT / "tests" / "browser", _COMPATIBILITY, _CHAOS)
_OWN_STACKS = ROOT / ".stack-test"
# A younger folder may belong to a session beside this one whose stack has not begun yet.
_BEGINNING_SECONDS = 120
# Hearing words takes a processor seconds a call; tests that are about words run a scoring service of their own.
_WITHOUT_WORDS = {"SCORER_ASR": "off"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--integration", action="store_true", help="also run the tests that need the stack's servers")
    parser.addoption("--chaos", action="store_true", help="also run the tests marked chaos, beside the others")


def pytest_configure() -> None:
    """Log stack traces without the values of variables: to write down a test's whole world takes seconds."""
    *before, _ = structlog.get_config()["processors"]
    structlog.configure(processors=[*before, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies under integration/, browser/, compatibility/ and chaos/; leave out what was not asked for."""
    for item in items:
        if any(folder in item.path.parents for folder in _NEEDS_STACK):
            item.add_marker(pytest.mark.integration)
        if _CHAOS in item.path.parents:
            item.add_marker(pytest.mark.chaos)
        if _COMPATIBILITY in item.path.parents:
            item.add_marker(pytest.mark.compatibility)
    unwanted = set()
    if not config.getoption("--integration"):
        unwanted.add("integration")
    if "chaos" not in config.getoption("markexpr") and not config.getoption("--chaos"):
        unwanted.add("chaos")
    if "compatibility" not in config.getoption("markexpr"):
        unwanted.add("compatibility")
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in unwanted)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Where a test of a fault says what it counted; `make chaos` adds it up."""
    return Tally(record_property)


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
        if time.time() - folder.stat().st_mtime < _BEGINNING_SECONDS:
            continue
        with contextlib.suppress(StackError):  # another session's, running
            StackFolder(folder).remove()


def _is_complete(stack: Stack) -> bool:
    try:
        states = stack.status()
    except StackError:
        return False
    return bool(stack.endpoints) and all(state == "running" for state in states.values())
