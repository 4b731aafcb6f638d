"""Bytewax, batch by batch.

It commits nothing to Kafka; with BENCH_RECOVERY set it keeps its position in a SQLite store of its own, in that folder (at least once).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import urllib3
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.rivals.work import job, row

# Records a poll of one partition, its default. The flow hands on what all partitions brought, so that an insert has up to 12,000 rows; with 5,000 it
# took a tenth less CPU, but inserts of 60,000 rows.
_BATCH = 1000


class _Insert(StatelessSinkPartition[bytes]):
    """Inserts each batch that the flow brings."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = urllib3.PoolManager()

    def write_batch(self, items: list[bytes]) -> None:
        """Insert rows."""
        answer = self._http.request("POST", self._url, body=b"\n".join(items) + b"\n")
        if answer.status != 200:
            raise RuntimeError(f"the insert was answered with {answer.status}")


class ClickHouseSink(DynamicSink[bytes]):
    """One inserting partition a worker."""

    def __init__(self, url: str) -> None:
        self._url = url

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Insert:
        """Make it."""
        del step_id, worker_index, worker_count
        return _Insert(self._url)


def _rows(messages: list[Any]) -> Iterable[bytes]:
    return [row(message.value) for message in messages]


def flow() -> Dataflow:
    """Return the dataflow: whole batches through one step (an operator an event costs more), then inserted as they are."""
    work = job()
    flow = Dataflow("voc")
    source = KafkaSource([work.bootstrap], [work.topic], batch_size=_BATCH)
    rows = op.flat_map_batch("rows", op.input("kafka", flow, source), _rows)
    op.output("clickhouse", rows, ClickHouseSink(work.insert_url))
    return flow


def main() -> None:
    """Run it on one worker thread until killed."""
    folder = os.environ.get("BENCH_RECOVERY")
    recovery = None
    if folder:
        init_db_dir(Path(folder), 1)
        recovery = RecoveryConfig(folder)
    cli_main(flow(), workers_per_process=1, epoch_interval=timedelta(seconds=2), recovery_config=recovery)


if __name__ == "__main__":
    main()
