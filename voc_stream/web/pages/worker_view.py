"""What the worker that started these pages says of itself, on its operator's port: readiness, dependencies, stages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

# A worker that does not answer for so long is not waited for.
ASK_SECONDS = 3.0
_STAGE_GAUGES = {
    "voc_stage_in_flight": "in_flight",
    "voc_stage_concurrency_limit": "limit",
    "queue_depth": "queued",
    "voc_stage_standstill_seconds": "standstill",
}


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker.

    Attributes:
        ready: whether it may get work.
        reasons: why not; and what it works without.
        dependencies: by name, whether it is well.
        stages: by stage, numbers by name: in_flight, limit, queued, standstill; and paused, which counts by whom.
    """

    ready: bool
    reasons: tuple[str, ...] = ()
    dependencies: Mapping[str, bool] = field(default_factory=dict)
    stages: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


async def look_at(worker: httpx.AsyncClient | None) -> WorkerView | None:
    """Return what a worker says; None where there is none, or it says nothing.

    Args:
        worker: asks its own pages.
    """
    if worker is None:
        return None
    try:
        readiness = await worker.get("/readyz", timeout=ASK_SECONDS)
        metrics = await worker.get("/metrics", timeout=ASK_SECONDS)
        said = readiness.json()
    except (httpx.HTTPError, ValueError):
        return None
    if not isinstance(said, dict) or not metrics.is_success:
        return None
    reasons = [str(reason) for name in ("reasons", "degraded") for reason in said.get(name, ())]
    dependencies, stages = _read(metrics.text)
    return WorkerView(readiness.is_success, tuple(reasons), dependencies, stages)


def _read(text: str) -> tuple[dict[str, bool], dict[str, dict[str, float]]]:
    dependencies: dict[str, bool] = {}
    stages: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "voc_dependency_up":
                dependencies[sample.labels["dependency"]] = sample.value > 0
            elif sample.name == "voc_stage_paused":
                stage = stages[sample.labels["stage"]]
                stage["paused"] = stage.get("paused", 0.0) + sample.value
            elif name := _STAGE_GAUGES.get(sample.name):
                stages[sample.labels["stage"]][name] = sample.value
    return dict(sorted(dependencies.items())), dict(stages)
