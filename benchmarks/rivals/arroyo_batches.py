"""sentry-arroyo: batches, one task that inserts, offsets committed behind it. At least once."""

from __future__ import annotations

from collections.abc import Mapping

import urllib3
from arroyo.backends.kafka import KafkaConsumer, KafkaPayload
from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration
from arroyo.commit import ONCE_PER_SECOND
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import BatchStep, CommitOffsets, ProcessingStrategy, ProcessingStrategyFactory, RunTask
from arroyo.processing.strategies.batching import ValuesBatch
from arroyo.types import Commit, Message, Partition, Topic

from benchmarks.rivals.work import body, job

# 500, 2,000 and 8,000 rows an insert took the same; the larger ones give memory away.
_ROWS = 2000
_SECONDS = 2.0


class Inserts(ProcessingStrategyFactory[KafkaPayload]):
    """Batch, insert, commit; in the process's one thread (its multiprocessing would be more than one process)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = urllib3.PoolManager()

    def create_with_partitions(self, commit: Commit, partitions: Mapping[Partition, int]) -> ProcessingStrategy[KafkaPayload]:
        """Return the chain for these partitions."""
        del partitions
        return BatchStep(_ROWS, _SECONDS, RunTask(self._insert, CommitOffsets(commit)))

    def _insert(self, message: Message[ValuesBatch[KafkaPayload]]) -> int:
        values = [value.payload.value for value in message.payload]
        answer = self._http.request("POST", self._url, body=body(values))
        if answer.status != 200:
            raise RuntimeError(f"the insert was answered with {answer.status}")
        return len(values)


def main() -> None:
    """Consume until killed."""
    work = job()
    configuration = build_kafka_consumer_configuration(
        {},
        bootstrap_servers=[work.bootstrap],
        group_id=work.group,
        auto_offset_reset="earliest",
        # Arroyo commits by itself, after the strategy says so.
        enable_auto_commit=False,
    )
    StreamProcessor(KafkaConsumer(configuration), Topic(work.topic), Inserts(work.insert_url), ONCE_PER_SECOND).run()


if __name__ == "__main__":
    main()
