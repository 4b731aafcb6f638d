"""A broker of a test's own: the partitions of topics that others share must not grow."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.voc.secure_kafka import HOST, free_ports
from voc_stream.devstack.parts.jars import cache_folder, java
from voc_stream.devstack.parts.kafka import render

_READY_SECONDS = 90.0


@asynccontextmanager
async def own_broker(folder: Path) -> AsyncIterator[str]:
    """Run it, with its data below the folder; lends its address."""
    port, controller = free_ports(2)
    properties = folder / "server.properties"
    properties.write_text(render(folder / "data", port, controller), encoding="utf-8")
    base = [java(), "-Xmx384m", "-XX:TieredStopAtLevel=1", "-cp", f"{cache_folder()}/*"]
    with (folder / "kafka.log").open("wb") as log:
        form = [*base, "kafka.tools.StorageTool", "format", "--cluster-id", "cGFydGl0aW9ucy10ZXN0LWs", "--config", str(properties)]
        await asyncio.to_thread(subprocess.run, form, check=True, stdout=log, stderr=log, timeout=60)
        process = await asyncio.create_subprocess_exec(*base, "kafka.Kafka", str(properties), stdout=log, stderr=log)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await _answers(process, port)
            yield f"{HOST}:{port}"
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _answers(process: asyncio.subprocess.Process, port: int) -> None:
    while True:
        assert process.returncode is None, "the broker ended: see kafka.log"
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.2)
            continue
        writer.close()
        return
