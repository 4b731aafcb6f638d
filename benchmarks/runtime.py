"""Records per second through an agent that only counts, on one core: what the runtime itself costs.

`python -m benchmarks.runtime` needs the stack's Kafka; it makes a topic of its own, and removes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from typing import Any

import faust
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from voc_stream.settings import load_settings

PARTITIONS = 4
VALUE = json.dumps({"event_id": "x" * 36, "tenant_id": "acme", "transcript": "w " * 160}).encode()


async def fill(bootstrap: list[str], topic: str, records: int) -> None:
    """Write the records, spread over the partitions."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks=1, compression_type="lz4", linger_ms=20, max_batch_size=1 << 18)
    await producer.start()
    try:
        for partition in range(PARTITIONS):
            for start in range(0, records // PARTITIONS, 5000):
                futures = [await producer.send(topic, VALUE, partition=partition) for _ in range(min(5000, records // PARTITIONS - start))]
                await asyncio.gather(*futures)
    finally:
        await producer.stop()


async def administer(bootstrap: list[str], *, create: Sequence[str] = (), delete: Sequence[str] = ()) -> None:
    """Create or delete topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if create:
            await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in create])
        if delete:
            await admin.delete_topics(list(delete))
    finally:
        await admin.close()


def count(bootstrap: str, topic: str, records: int) -> None:
    """Run a worker that counts, print its figures and end (its own process)."""
    from faust.transport.drivers import TRANSPORTS

    from voc_stream.runtime.intake import Intake
    from voc_stream.runtime.schema import PassThrough

    TRANSPORTS.aliases["kafka"] = "voc_stream.runtime.transport:Transport"
    app: Any = faust.App(
        f"bench-{uuid.uuid4().hex[:8]}",
        broker=f"kafka://{bootstrap}",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        stream_buffer_maxsize=8192,
        broker_max_poll_records=2000,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=1.0,
        autodiscover=False,
        datadir=tempfile.mkdtemp(),
    )
    app.intake = Intake()
    seen = 0
    began = cpu = 0.0

    @app.agent(app.topic(topic, schema=PassThrough(), key_type=bytes, value_type=bytes))
    async def counting(stream: Any) -> None:
        nonlocal seen, began, cpu
        async for event in stream.noack().events():
            if not began:
                began, cpu = time.perf_counter(), time.process_time()
            seen += len(event.value)
            event.value.resolve_all()
            if seen >= records:
                wall, used = time.perf_counter() - began, time.process_time() - cpu
                print(
                    json.dumps(
                        {
                            "records": seen,
                            "per_second": round(seen / wall),
                            "per_core_second": round(seen / used),
                            "cpu_us": round(used / seen * 1e6, 2),
                        }
                    ),
                    flush=True,
                )
                os._exit(0)

    faust.Worker(app, loglevel="ERROR", quiet=True, redirect_stdouts=False).execute_from_commandline()


async def main(records: int) -> dict[str, Any]:
    """Fill a topic, run the counting worker, return its figures."""
    settings = load_settings()
    bootstrap = list(settings.kafka_bootstrap)
    topic = f"bench.runtime.{uuid.uuid4().hex[:8]}"
    await administer(bootstrap, create=[topic])
    try:
        await fill(bootstrap, topic, records)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.runtime", "count", bootstrap[0], topic, str(records), stdout=subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(process.communicate(), 300)
    finally:
        with contextlib.suppress(Exception):
            await administer(bootstrap, delete=[topic])
    text = output.decode()
    figures: dict[str, Any] = json.loads(text[text.index('{"records"') :].splitlines()[0])
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["count"]:
        count(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        figures = asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
        print("bench-runtime: " + " ".join(f"{name}={value}" for name, value in figures.items()))
