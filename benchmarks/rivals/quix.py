"""Quix Streams with a batching sink, flushed at each checkpoint before its commit. At least once."""

from __future__ import annotations

import os
import tempfile

import urllib3
from quixstreams import Application
from quixstreams.sinks.base import BatchingSink, SinkBatch

from benchmarks.rivals.work import body, job

# The largest insert.
_ROWS = 5000


class ClickHouseSink(BatchingSink):
    """Inserts what a checkpoint gathered, a partition at a time, as the library does."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._http = urllib3.PoolManager()

    def write(self, batch: SinkBatch) -> None:
        """Insert a partition's rows."""
        for chunk in batch.iter_chunks(n=_ROWS):
            answer = self._http.request("POST", self._url, body=body([item.value for item in chunk]))
            if answer.status != 200:
                raise RuntimeError(f"the insert was answered with {answer.status}")


def main() -> None:
    """Consume until killed."""
    work = job()
    app = Application(
        broker_address=work.bootstrap,
        consumer_group=work.group,
        auto_offset_reset="earliest",
        # A checkpoint every two seconds, and none before: with `commit_every` of 2,000 or 6,000 an event took 15 % more CPU.
        commit_interval=2.0,
        auto_create_topics=False,
        use_changelog_topics=False,  # there is no state
        loglevel="WARNING",
        state_dir=tempfile.mkdtemp(dir=os.environ.get("BENCH_FOLDER")),
    )
    topic = app.topic(work.topic, key_deserializer="bytes", value_deserializer="bytes")
    # The values stay bytes until the sink has a batch of them: one call of ours for each record less.
    app.dataframe(topic).sink(ClickHouseSink(work.insert_url))
    app.run()


if __name__ == "__main__":
    main()
