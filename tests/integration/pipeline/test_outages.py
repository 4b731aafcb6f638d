"""A server is gone for a while with calls in flight: the worker says so, waits, and goes on; nothing is dead-lettered for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.pipeline.pipeline import Pipeline
from voc_stream.devstack.stack import Stack

# What a worker may say of an outage of some seconds, so that one of hours does not fill its disk.
MOST_LINES = 1000

# Part of the stack, the dependency as the worker names it, how it goes and how it comes back. The recorder simulator forgets its calls
# when it ends, so it hangs instead: connections open, no answer.
GONE: dict[str, tuple[str, Callable[[Stack, str], None], Callable[[Stack, str], None]]] = {
    "postgres": ("postgres", Stack.stop_part, Stack.start_part),
    "s3": ("s3", Stack.stop_part, Stack.start_part),
    "clickhouse": ("clickhouse", Stack.kill, Stack.start_part),
    "scoring": ("scorer", Stack.kill, Stack.start_part),
    "recorder": ("recorder", Stack.pause, Stack.resume),
    "kafka": ("kafka", Stack.stop_part, Stack.start_part),
}


@pytest.mark.parametrize("part", GONE)
async def test_calls_in_flight_outlive_an_outage_and_readyz_names_it(pipeline: Pipeline, part: str) -> None:
    dependency, go, come_back = GONE[part]
    before = await pipeline.spoken(4)
    said = _lines(pipeline)
    go(pipeline.stack, part)
    try:
        during = await pipeline.spoken(4) if part != "recorder" else []
        await pipeline.until_unready(dependency)
        assert pipeline.page("healthz")[0] == 200
        assert _lines(pipeline) - said < MOST_LINES
    finally:
        come_back(pipeline.stack, part)
    await pipeline.until_ready()
    after = await pipeline.spoken(1)
    call_ids = [*before, *during, *after]
    rows = await pipeline.until_settled(call_ids)
    assert {str(row.status) for row in rows.values()} == {"SCORED"}
    assert await pipeline.letters(call_ids) == {}
    await pipeline.assert_consistent(call_ids)
    assert pipeline.worker.poll() is None


async def test_a_worker_that_is_started_while_postgresql_is_down_gets_ready_by_itself(pipeline: Pipeline) -> None:
    assert pipeline.worker.stop() == 0
    pipeline.stack.stop_part("postgres")
    try:
        pipeline.worker.start()
        call_ids = await pipeline.spoken(2)
        await pipeline.until_unready("postgres")
    finally:
        pipeline.stack.start_part("postgres")
    await pipeline.until_status(call_ids, "SCORED")
    await pipeline.until_ready()


def _lines(pipeline: Pipeline) -> int:
    return len(pipeline.worker.log.read_bytes().splitlines())
