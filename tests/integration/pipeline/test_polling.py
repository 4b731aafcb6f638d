"""The poller on a recorder of its own, which answers by contact and cuts at ten: windows, sweeps, checkpoints, clocks (spec section 2.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.pipeline.own_processes import recorder_process
from tests.integration.pipeline.pipeline import Pipeline
from tests.integration.pipeline.test_kinds import every_kind_ends_as_documented
from voc_stream import topics
from voc_stream.devstack.simulator import Simulator

CAP = 10
LARGEST_WINDOW = 600.0
WINDOW, SWEEP = 1, 2


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where a recorder with that cap is; it lives no longer than this module."""
    with recorder_process(tmp_path_factory.mktemp("recorder"), "--result-cap", str(CAP)) as endpoints:
        yield endpoints


@pytest.fixture
def worker_settings(recorder: Mapping[str, str]) -> Mapping[str, str]:
    return {**recorder, "AVAYA_RESULT_CAP": str(CAP), "AVAYA_LAYOUT": "contact", "AVAYA_CATCH_UP_SECONDS": str(LARGEST_WINDOW)}


@pytest.fixture
def polled(pipeline: Pipeline, recorder: dict[str, str]) -> Pipeline:
    """The pipeline with this module's recorder."""
    pipeline.simulator = Simulator(recorder)
    return pipeline


async def test_more_calls_than_the_recorder_tells_of_at_once_are_all_found(polled: Pipeline) -> None:
    capped = _capped(polled)
    made = await polled.record("tone", count=3 * CAP, seconds=4, every_seconds=0.5, hang_up=-30)
    await polled.until_status([call["inum"] for call in made], "NOT_SCORABLE")
    assert _capped(polled) > capped


async def test_every_kind_ends_the_same_when_it_is_told_by_contact(polled: Pipeline) -> None:
    await every_kind_ends_as_documented(polled)


async def test_a_stopped_poller_catches_up_after_an_outage_in_windows_that_are_bounded(polled: Pipeline) -> None:
    assert await asyncio.to_thread(polled.worker.stop) == 0
    now = datetime.now(UTC)
    outage = timedelta(hours=2)
    await polled.rows("UPDATE ingestion_checkpoint SET last_polled_from = $1, last_polled_to = $1", now - outage)
    missed = [
        call["inum"]
        for minutes in (119, 90, 61, 60, 59, 31, 5)
        for call in await polled.record("tone", seconds=20, count=2, started_at=(now - timedelta(minutes=minutes)).isoformat())
    ]
    searches = sum((await polled.requests("search")).values())
    slow = await polled.fault("latency", command="search", seconds=0.2)
    polled.worker.start()
    widths: list[float] = []

    async def caught_up() -> bool:
        rows = await polled.rows("SELECT id, last_polled_from, last_polled_to FROM ingestion_checkpoint")
        spans = {row["id"]: (row["last_polled_from"], row["last_polled_to"]) for row in rows}
        if spans[WINDOW][1] > now - outage:
            widths.append((spans[WINDOW][1] - spans[WINDOW][0]).total_seconds())
        return all(to > now for _from, to in spans.values())

    await polled.until("both checkpoints have caught up", caught_up)
    await polled.mend(slow)
    rows = await polled.until_status(missed, "NOT_SCORABLE")
    assert max(widths) <= LARGEST_WINDOW
    assert len(set(widths)) > 1, "no window of the catching up was seen"
    assert sum((await polled.requests("search")).values()) - searches >= outage.total_seconds() / LARGEST_WINDOW
    assert {row.results for row in rows.values()} == {1}


async def test_the_checkpoint_waits_for_a_recorder_that_is_down_and_then_moves_on(polled: Pipeline) -> None:
    fault = await polled.fault("error", status=503, command="search")
    await polled.until_unready("recorder")
    stood = await _polled_to(polled)
    made = await polled.record("tone", seconds=4)
    assert await _polled_to(polled) == stood
    await polled.mend(fault)
    await polled.until_status([call["inum"] for call in made], "NOT_SCORABLE")
    assert await _polled_to(polled) > stood


async def test_a_long_call_whose_start_is_long_past_when_it_ends_is_found_by_the_sweep(polled: Pipeline) -> None:
    started = datetime.now(UTC) - timedelta(minutes=15)
    (call,) = await polled.record("tone", seconds=900, started_at=started.isoformat(), hang_up="never")
    searched = await _swept_to(polled)

    async def swept() -> bool:
        return await _swept_to(polled) > searched

    await polled.until("a sweep has seen it in progress", swept)
    assert await polled.audit.rows([call["inum"]]) == {}
    await polled.hang_up(call["inum"])
    await polled.until_status([call["inum"]], "NOT_SCORABLE")
    (raw,) = await polled.read(topics.CALLS_RAW, [call["inum"]])
    assert raw.key.decode() == call["inum"]


@pytest.mark.parametrize("skew", [-300, 300], ids=["five minutes slow", "five minutes fast"])
async def test_calls_of_a_recorder_whose_clock_is_wrong_are_found_once_its_clock_allows(polled: Pipeline, skew: int) -> None:
    await polled.fault("clock_skew", seconds=skew)
    # A clock that is ahead shows a call five minutes later than now: it is found when the windows get there.
    ended = datetime.now(UTC) - timedelta(seconds=max(0, skew) + 5)
    made = await polled.record("tone", seconds=10, started_at=(ended - timedelta(seconds=10)).isoformat(), ended_at=ended.isoformat())
    call_ids = [call["inum"] for call in made]
    await polled.until_status(call_ids, "NOT_SCORABLE")
    await polled.mend()
    second = await polled.record("tone", seconds=4)
    await polled.until_status([call["inum"] for call in second], "NOT_SCORABLE")
    assert len(await polled.read(topics.CALLS_RAW, call_ids)) == 1


async def test_nobody_ever_asked_the_recorder_to_delete(polled: Pipeline) -> None:
    stats = polled.simulator.ask("stats")["requests"]
    assert stats["delete"] == {}
    assert stats.get("unknown", {}) == {}
    assert sum(stats["search"].values()) > 0


def _capped(pipeline: Pipeline) -> float:
    families = text_string_to_metric_families(pipeline.worker.metrics())
    samples = (sample for family in families for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == "voc_polls_total" and sample.labels["result"] == "capped")


async def _polled_to(pipeline: Pipeline) -> datetime:
    return await _checkpoint(pipeline, WINDOW)


async def _swept_to(pipeline: Pipeline) -> datetime:
    return await _checkpoint(pipeline, SWEEP)


async def _checkpoint(pipeline: Pipeline, checkpoint: int) -> datetime:
    moment: datetime = (await pipeline.row("SELECT last_polled_to FROM ingestion_checkpoint WHERE id = $1", checkpoint))["last_polled_to"]
    return moment
