"""A harness on the stack's Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.runtime.harness import Harness
from voc_stream.settings import Settings


@pytest.fixture
async def harness(settings: Settings, tmp_path: Path) -> AsyncIterator[Harness]:
    made = Harness(settings.kafka_bootstrap[0], tmp_path)
    await made.create_topics()
    yield made
    await made.stop()
