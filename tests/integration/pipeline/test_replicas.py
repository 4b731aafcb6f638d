"""Two workers: the second finds its own port and folder, partitions are shared, one of them polls, and the other goes on when it is killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.pipeline.pipeline import Pipeline, Workshop, page
from voc_stream import topics
from voc_stream.devstack.worker_process import WorkerProcess


@pytest.fixture(scope="module")
def second(workshop: Workshop) -> Iterator[WorkerProcess]:
    """A worker that is started with the settings of the first, its port included."""
    first = workshop.running({})
    other = workshop.another("second", {"OPERATOR_PORT": str(first.port)})
    other.start()
    yield other
    if other.poll() is None:
        other.stop()


async def test_a_second_worker_gets_its_own_port_and_folder_and_shares_the_partitions(pipeline: Pipeline, second: WorkerProcess) -> None:
    await _both_ready(pipeline, second)
    assert second.port != pipeline.worker.port
    assert (page(pipeline.worker, "readyz")[0], page(second, "readyz")[0]) == (200, 200)
    assert sorted(folder.name for folder in (pipeline.workshop.folder / "state").iterdir()) == ["worker-1", "worker-2"]
    shares = await _shares(pipeline)
    assert len(shares) == 2
    for topic, partitions in ((topics.CALLS_POLLED, 12), (topics.CALLS_ENRICHED, 12), (topics.AUDIO_READY, 24), (topics.SCORING_RESULTS, 24)):
        held = [share.get(topic, set()) for share in shares]
        assert held[0].isdisjoint(held[1])
        assert held[0] | held[1] == set(range(partitions))
        assert abs(len(held[0]) - len(held[1])) <= 2
    call_ids = await pipeline.spoken(12)
    await pipeline.until_settled(call_ids)
    await pipeline.assert_consistent(call_ids)
    assert [await asyncio.to_thread(_worked, worker) for worker in (pipeline.worker, second)] == [True, True]


async def test_only_the_leader_polls_and_the_other_takes_over_when_it_is_killed(pipeline: Pipeline, second: WorkerProcess) -> None:
    await _both_ready(pipeline, second)
    polls = {worker: _polls(worker) for worker in (pipeline.worker, second)}

    async def polled_on() -> bool:
        return sum(_polls(worker) for worker in polls) >= sum(polls.values()) + 5

    await pipeline.until("five more polls", polled_on)
    polling = [worker for worker, before in polls.items() if _polls(worker) > before]
    assert len(polling) == 1, "both workers poll"
    (leader,) = polling
    heir = second if leader is pipeline.worker else pipeline.worker
    before = _polls(heir)
    leader.kill()
    pipeline.worker = heir
    call_ids = await pipeline.spoken(3)
    await pipeline.until_status(call_ids, "SCORED")
    assert _polls(heir) > before
    await pipeline.until_settled(call_ids)
    await pipeline.assert_consistent(call_ids)


async def _both_ready(pipeline: Pipeline, second: WorkerProcess) -> None:
    async def listening() -> bool:
        return _own_port(second) is not None

    await pipeline.until("the second worker has a port", listening)
    second.port = _own_port(second) or second.port

    async def ready() -> bool:
        assert second.poll() is None, second.last_lines()
        return second.ready() and pipeline.worker.ready() and len(await _shares(pipeline)) == 2

    await pipeline.until("both workers are ready and in the group", ready)


def _own_port(worker: WorkerProcess) -> int | None:
    """Return the port that a worker says it took in place of the one that was taken."""
    for line in worker.log.read_text().splitlines():
        if "OPERATOR_PORT is taken" in line:
            return int(json.loads(line)["used"])
    return None


async def _shares(pipeline: Pipeline) -> list[dict[str, set[int]]]:
    """Return each member's partitions by topic, as the broker has them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(pipeline.settings.kafka_bootstrap))
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([pipeline.settings.kafka_group_id])
    finally:
        await admin.close()
    (group,) = answer.groups
    return [_assigned(member[-1]) for member in group[5]] if group[2] == "Stable" else []


def _assigned(assignment: bytes) -> dict[str, set[int]]:
    from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return {topic: set(partitions) for topic, partitions in decoded.assignment}


def _polls(worker: WorkerProcess) -> float:
    return _sum(worker, "voc_polls_total")


def _worked(worker: WorkerProcess) -> bool:
    return _sum(worker, "voc_stage_records_total") > 0


def _sum(worker: WorkerProcess, name: str) -> float:
    families = text_string_to_metric_families(worker.metrics())
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)
