"""A broker of a test's own, in a process that the test ends."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from voc_stream.devstack.parts.jars import cache_folder, java

HOST = "127.0.0.1"
_READY_SECONDS = 90.0


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@asynccontextmanager
async def kafka_broker(
    properties: Path, ports: Sequence[int], *, java_options: Sequence[str] = (), format_options: Sequence[str] = ()
) -> AsyncIterator[None]:
    """Format what the properties name, and run it while the block runs; its log lies beside them.

    Args:
        properties: the file.
        ports: those that listen once it is ready.
        java_options: for the broker and the tool that formats.
        format_options: for that tool alone.
    """
    base = [java(), "-Xmx384m", "-XX:TieredStopAtLevel=1", *java_options, "-cp", f"{cache_folder()}/*"]
    with (properties.parent / "kafka.log").open("wb") as log:
        form = [*base, "kafka.tools.StorageTool", "format", "--cluster-id", "b25lLW9mLWEtdGVzdHMtbw", "--config", str(properties), *format_options]
        await asyncio.to_thread(subprocess.run, form, check=True, stdout=log, stderr=log, timeout=60)
        process = await asyncio.create_subprocess_exec(*base, "kafka.Kafka", str(properties), stdout=log, stderr=log)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                for port in ports:
                    await _listens(process, port)
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _listens(process: asyncio.subprocess.Process, port: int) -> None:
    while True:
        assert process.returncode is None, "the broker ended: see kafka.log"
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.2)
            continue
        writer.close()
        return
