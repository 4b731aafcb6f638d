"""Our own worker as the events' benchmarks run it: a consumer group, topics and tables of its own for each run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.field import Field
from voc_stream import topic_admin
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.worker_process import WorkerProcess

PARTITIONS = 12
# The calls pipeline runs in the same process, as in production, with nothing to do.
_QUIET = {"AVAYA_POLL_SECONDS": "60", "AVAYA_SWEEP_SECONDS": "900", "LOG_LEVEL": "warning"}


def make_topics(field: Field, group: str, topics: Sequence[str]) -> None:
    """Create topics of events, and what a group needs beside it (its changelogs).

    Raises:
        StackError: they could not be made.
    """
    lines: list[str] = []
    settings = field.settings.model_copy(update={"kafka_group_id": group, "kafka_topics": tuple(topics)})
    if asyncio.run(topic_admin.run(settings, lines.append)):
        raise StackError("\n".join(lines))


@contextmanager
def our_worker(field: Field, group: str, topics: Sequence[str], settings: Mapping[str, str]) -> Iterator[WorkerProcess]:
    """Lend a worker of a new group that reads topics from their beginning."""
    make_topics(field, group, topics)
    with field.worker(environment(group, topics, settings), name=group, ready=False) as worker:
        yield worker


def environment(group: str, topics: Sequence[str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return a worker's settings on top of the stack's endpoints."""
    return {**_QUIET, "KAFKA_GROUP_ID": group, "KAFKA_TOPICS": ",".join(topics), "KAFKA_INCARNATION": group, **settings}


def must_run(worker: WorkerProcess) -> None:
    """Raise when a worker has ended.

    Raises:
        StackError: with the end of its log.
    """
    if (code := worker.poll()) is not None:
        raise StackError(f"the worker ended with {code}:\n{worker.last_lines()}")
