"""What the worker says of itself: /healthz, /readyz, /metrics (spec sections 4 and 8)."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.pipeline.pipeline import Pipeline
from voc_stream.devstack.worker_process import WorkerProcess

# What spec section 8 names for the calls pipeline, each with a sample that calls have moved.
MOVED = (
    "ingest_delay_seconds_count",
    "download_latency_ms_count",
    "scoring_latency_ms_count",
    "scoring_total_latency_seconds_count",
    "voc_hop_seconds_count",
    "voc_stage_records_total",
    "voc_scored_calls_total",
    "voc_polls_total",
    "voc_polled_calls_total",
)
PRESENT = (
    "ingest_lag_seconds",
    "queue_depth",
    "kafka_consumer_lag",
    "voc_dead_letters_total",
    "voc_stage_retries_total",
    "voc_stage_concurrency_limit",
)


async def test_metrics_of_every_hop_are_there_after_calls_passed(pipeline: Pipeline) -> None:
    made = [*await pipeline.spoken(2), *[call["inum"] for kind in ("text", "breaks_first") for call in await pipeline.record(kind)]]
    await pipeline.until_settled(made)

    async def measured() -> bool:
        return "kafka_consumer_lag{" in pipeline.worker.metrics()

    await pipeline.until("lag is measured", measured)
    samples = [sample for family in text_string_to_metric_families(pipeline.worker.metrics()) for sample in family.samples]
    names = {sample.name for sample in samples}
    moved = {sample.name for sample in samples if sample.value > 0}
    assert set(MOVED) - moved == set()
    assert set(PRESENT) - names == set()
    stages = {sample.labels["stage"] for sample in samples if sample.name == "voc_stage_records_total" and sample.labels["outcome"] == "ok"}
    assert {"dedup", "enrich", "download", "score", "export"} <= stages
    lags = {(sample.labels["topic"], sample.labels["group"]) for sample in samples if sample.name == "kafka_consumer_lag"}
    assert ("audio.ready", pipeline.settings.kafka_group_id) in lags
    up = {sample.labels["dependency"]: sample.value for sample in samples if sample.name == "voc_dependency_up"}
    assert up.keys() >= {"kafka", "postgres", "s3", "clickhouse", "recorder", "scorer"}
    assert set(up.values()) == {1}


async def test_alive_and_ready_are_said_in_json(pipeline: Pipeline) -> None:
    await pipeline.until_ready()
    assert pipeline.page("healthz") == (200, {"status": "ok"})
    assert pipeline.page("readyz") == (200, {"status": "ready"})


@pytest.mark.parametrize("path", ["table/", "router/", "stats/", "graph/"])
def test_pages_of_faust_s_own_are_off(worker: WorkerProcess, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/{path}", timeout=5)
