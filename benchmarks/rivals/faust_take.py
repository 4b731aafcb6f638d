"""A stock Faust agent with `take(500, within=2)`. It commits, but a batch that raises is lost, and so may be what a crash leaves in a buffer."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import aiohttp
import faust
import mode.loop

from benchmarks.rivals.work import body, job

# As its own `--loop uvloop` does.
mode.loop.use("uvloop")
_WORK = job()

app = faust.App(
    _WORK.group,
    broker=f"kafka://{_WORK.bootstrap}",
    # Faust cannot create topics on Kafka 4, so neither its leader topic.
    topic_allow_declare=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    # Its defaults are for its own pace: each event has tasks of its own, which no size of a buffer changes.
    stream_buffer_maxsize=4096,
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
