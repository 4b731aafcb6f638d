"""A stack migrated by this code, and what looks at it; workers are the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.compatibility.previous import baseline, unpack, why_not
from tests.compatibility.rollout import Rollout
from tests.integration.pipeline.pipeline import TENANTS
from voc_stream.devstack.audit import Audit
from voc_stream.devstack.stack import Stack
from voc_stream.settings import Settings


@pytest.fixture(scope="session")
def old_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    name = baseline()
    if reason := why_not(name):
        pytest.skip(reason)
    return unpack(name, tmp_path_factory.mktemp("previous"))


@pytest.fixture
async def rollout(stack: Stack, settings: Settings, old_code: Path, tmp_path: Path) -> AsyncIterator[Rollout]:
    tenants = tmp_path / "tenants.toml"
    tenants.write_text(TENANTS)
    async with Audit(settings) as audit:
        rolling = Rollout(stack, settings, old_code, tmp_path, tenants, audit)
        try:
            yield rolling
        finally:
            rolling.close()


@pytest.fixture(scope="session", autouse=True)
def stack_is_wanted(old_code: Path) -> None:
    """Without the code of before there is nothing to start the servers for."""
    assert old_code
