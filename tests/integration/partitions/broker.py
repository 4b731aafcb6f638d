"""A broker of a test's own: the partitions of topics that others share must not grow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.kafka_broker import HOST, free_ports, kafka_broker
from voc_stream.devstack.parts.kafka import render


@asynccontextmanager
async def own_broker(folder: Path) -> AsyncIterator[str]:
    """Run it, with its data below the folder; lends its address."""
    port, controller = free_ports(2)
    properties = folder / "server.properties"
    properties.write_text(render(folder / "data", port, controller), encoding="utf-8")
    async with kafka_broker(properties, [port]):
        yield f"{HOST}:{port}"
