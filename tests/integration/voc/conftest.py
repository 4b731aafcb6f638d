"""A line of customer events of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.databases import own_schema, own_warehouse
from tests.integration.voc.line import Line
from voc_stream import migrate
from voc_stream.devstack.stack import Stack
from voc_stream.settings import Settings


@pytest.fixture
async def line(stack: Stack, settings: Settings, tmp_path: Path) -> AsyncIterator[Line]:
    lines: list[str] = []
    with own_schema(settings) as with_schema:
        async with own_warehouse(with_schema) as own:
            assert await migrate.run(own, lines.append) == 0, lines
            # Calls are read by whoever works on the stack: what one seals all must open.
            keys = {"pii_keys": SecretStr(stack.endpoints["PII_KEYS"]), "pii_key_id": stack.endpoints["PII_KEY_ID"]}
            made = Line(stack, own.model_copy(update=keys), tmp_path)
            await made.make_topics()
            try:
                yield made
            finally:
                await made.tidy()
