"""A stock Faust agent with `take(500, within=2)`. It commits, but a batch that raises is lost, and so may be what a crash leaves in a buffer."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import aiohttp
import faust

from benchmarks.rivals.work import body, job

_WORK = job()

app = faust.App(
    _WORK.group,
    broker=f"kafka://{_WORK.bootstrap}",
    # Faust cannot create topics on Kafka 4, so neither its leader topic.
    topic_allow_declare=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    # The default; larger changes nothing, as each event has tasks of its own.
    stream_buffer_maxsize=4096,
    # 500 a poll are the default for a batch of 500; 2,000 gains a little.
    broker_max_poll_records=2000,
    web_enabled=False,
    autodiscover=False,
    datadir=tempfile.mkdtemp(dir=os.environ.get("BENCH_FOLDER")),
)


@app.agent(app.topic(_WORK.topic, value_type=bytes, value_serializer="raw"))
async def store(stream: Any) -> None:
    """Insert batches."""
    async with aiohttp.ClientSession() as session:
        async for values in stream.take(500, within=2):
            async with session.post(_WORK.insert_url, data=body(values)) as answer:
                answer.raise_for_status()


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False).execute_from_commandline()
