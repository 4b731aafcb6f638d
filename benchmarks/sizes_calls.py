"""What a call takes of the worker, Kafka and PostgreSQL; the recorder and the scorer are stand-ins, or another benchmark's."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from benchmarks import ours, seed_calls
from benchmarks.disk import bytes_below
from benchmarks.field import AT_ONCE, Field
from benchmarks.processes import CpuLog
from benchmarks.report import say
from benchmarks.stub import stub

CALLS = 1_000
# A minute each: 16-bit, one channel.
SECONDS = 60.0
IN_FLIGHT = 32
SEEDED = 20_000
# Instead of the topics of events, which this worker has nothing to do with.
IDLE_TOPIC = "voc.idle"
_TOPICS = ("calls.polled", "calls.raw", "calls.enriched", "audio.ready", "scoring.results")


def measure(place: Field) -> dict[str, float]:
    """Pass calls through all stages, and fill the tables as months would."""
    kept = _kept(place)  # first: of what is there already it would make rows a second time
    return {**_pass(place), "postgres_bytes_call": kept}


def _pass(place: Field) -> dict[str, float]:
    ours.make_topics(place, place.settings.kafka_group_id, (IDLE_TOPIC,))
    before = _kafka_bytes(place)
    ended_at = datetime.now(UTC) - timedelta(seconds=600 + CALLS)
    made = place.new_calls(kind="tone", seconds=SECONDS, count=CALLS, ended_at=ended_at.isoformat(), every_seconds=1)
    # The store is a real one: what is exported is read back from it.
    with stub("scorer") as (scorer, _):
        settings = {
            **AT_ONCE,
            "SCORING_URL": scorer,
            "DOWNLOAD_IN_FLIGHT": str(IN_FLIGHT),
            "SCORING_IN_FLIGHT": str(IN_FLIGHT),
            "DOWNLOAD_SLOW_ABOVE_LAG": "0",
            "LOG_LEVEL": "warning",
            "KAFKA_TOPICS": IDLE_TOPIC,
        }
        with place.worker(settings, name="calls", ready=False) as worker, CpuLog({"worker": worker.pid, **place.pids}) as log:
            # The first are found, read and scored: what a start costs is no call's.
            place.until_exported(made[: CALLS // 10])
            began, first = time.time(), _scored(place, made)
            place.until_exported(made)
            ended = time.time()
            used = log.between(began, ended)
    say(f"calls: {(CALLS - first) / (ended - began):.1f} a second")
    per = {name: seconds / (CALLS - first) * 1000 for name, seconds in used.items()}
    return {
        "worker_ms_call": per["worker"],
        "kafka_ms_call": per["kafka"],
        "postgres_ms_call": per["postgres"],
        "kafka_bytes_call": (_kafka_bytes(place) - before) / CALLS,
    }


def _kept(place: Field) -> float:
    """Return the bytes of a call with all that PostgreSQL keeps of it."""
    before = _database_bytes(place)
    asyncio.run(seed_calls.seed(place.settings.postgres_dsn.get_secret_value(), calls=SEEDED, days=30, whole=SEEDED))
    return (_database_bytes(place) - before) / SEEDED


def _scored(place: Field, calls: list[str]) -> int:
    return place.states(calls)["exported"]


def _kafka_bytes(place: Field) -> int:
    return sum(bytes_below(place.folder, f"{topic}-*") for topic in _TOPICS)


def _database_bytes(place: Field) -> int:
    (row,) = place.query("SELECT pg_database_size(current_database()) AS bytes")
    return int(row["bytes"])
