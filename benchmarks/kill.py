"""SIGKILL of the worker at random moments while calls pass; then every place is counted: `python -m benchmarks.kill` (docs/benchmarks.md)."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import click
from aiobotocore.session import get_session

from benchmarks.command import run
from benchmarks.field import Field, settled
from benchmarks.report import say, table
from voc_stream import topics
from voc_stream.devstack.audit import Audit
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.settings import Settings

PARTS = ("kafka", "postgres", "s3", "clickhouse", "recorder", "scoring")
# Calls are looked for often, so that polling is interrupted as well.
_SETTINGS = {"AVAYA_POLL_SECONDS": "2", "AVAYA_GUARD_SECONDS": "1", "AVAYA_SWEEP_SECONDS": "5"}
# 31 s each, scored by tiny.en with their transcripts: 200 of them are 100 minutes of speech, some four minutes of work.
_DIALOGUE = "praise_short"
_SECONDS_APART = 1.0
# Slow enough that some downloads are always under way.
_REPLAY_SECONDS = 3.0
# So many of the kills hit a worker that has just been started: it joins the group, or reads its tables.
_SHARE_AT_START = 0.3
_START_SECONDS = 15.0


@dataclass(slots=True)
class Count:
    """What is where, by call."""

    final: int = 0
    pending: int = 0
    places: dict[str, Counter[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    object_versions: int = 0

    @property
    def duplicates(self) -> int:
        """What any place has beyond one of a call."""
        return sum(max(0, count - 1) for place in self.places.values() for count in place.values())


@click.command()
@click.option("--calls", default=200, show_default=True, type=click.IntRange(min=1))
@click.option("--kills", default=10, show_default=True, type=click.IntRange(min=0))
@click.option("--seed", default=None, type=int, help="Of the moments; another each time by default.")
def main(calls: int, kills: int, seed: int | None) -> None:
    """Kill the worker at random moments while calls pass, then count every place."""
    seed = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 - moments, not secrets
    say(f"chaos-calls: {calls} calls, {kills} kills, seed {seed}")
    with Field(parts=PARTS) as place:
        made = place.new_calls(kind="stereo", dialogue=_DIALOGUE, count=calls, hang_up=5, every_seconds=_SECONDS_APART)
        place.simulator.ask("faults", {"kind": "latency", "command": "replay", "seconds": _REPLAY_SECONDS})
        _suffer(place, made, kills, random.Random(seed))  # noqa: S311
        count = asyncio.run(_count(place, made))
    for problem in count.problems:
        say(f"problem: {problem}")
    table(
        "chaos-calls: of how many calls each place knows, and what it has in all",
        ("place", "calls", "in all"),
        [(name, len(found), found.total()) for name, found in count.places.items()],
    )
    objects = len(count.places["objects in S3"])
    print(
        f"chaos-calls: calls={calls} kills={kills} final={count.final} objects={objects} duplicates={count.duplicates} pending={count.pending} "
        f"problems={len(count.problems)} object_versions={count.object_versions} seed={seed}"
    )
    sys.exit(0 if (count.final, objects, count.duplicates, count.pending, count.problems) == (calls, calls, 0, 0, []) else 1)


def _suffer(place: Field, calls: list[str], kills: int, chance: random.Random) -> None:
    """Kill and restart; after the last kill let everything pass."""
    at_start = sorted(chance.sample(range(1, max(2, kills)), min(max(1, kills) - 1, round(kills * _SHARE_AT_START))))
    # The others come when so many calls are through.
    marks = iter(sorted(chance.sample(range(1, max(2, len(calls) * 9 // 10)), kills - len(at_start))))
    for number in range(kills):
        with place.worker(_SETTINGS, ready=False) as worker:
            if number in at_start:
                seconds = chance.uniform(0.0, _START_SECONDS)
                time.sleep(seconds)
                say(f"kill {number + 1}: {seconds:.1f} s after the worker's start; {_progress(place, calls)}")
            else:
                _until_through(place, worker, calls, next(marks))
                time.sleep(chance.uniform(0.0, 2.0))
                say(f"kill {number + 1}: in the midst; {_progress(place, calls)}")
            worker.kill()
    with place.worker(_SETTINGS):
        place.until_exported(calls)


def _until_through(place: Field, worker: WorkerProcess, calls: Collection[str], count: int) -> None:
    while place.states(calls)["exported"] < count:
        if worker.poll() is not None:
            raise StackError(f"the worker ended with {worker.poll()} by itself:\n{worker.last_lines()}")
        time.sleep(0.2)


def _progress(place: Field, calls: Collection[str]) -> str:
    states = place.states(calls)
    return " ".join(f"{name.lower()}={states[name]}" for name in ("PENDING_DOWNLOAD", "DOWNLOADED", "SCORED", "exported"))


async def _count(place: Field, calls: list[str]) -> Count:
    count = Count()
    states = place.states(calls)
    count.final = states["SCORED"] + states["NOT_SCORABLE"] + states["MISSING"] + states["ERROR"]
    results = place.query("SELECT call_id, count(*) AS n FROM scoring_result WHERE call_id = ANY(%s) GROUP BY call_id", calls)
    waiting = place.query(
        """SELECT c.call_id FROM call c LEFT JOIN scoring_result r USING (call_id)
           WHERE c.call_id = ANY(%s) AND (c.next_attempt_at IS NOT NULL OR (r.call_id IS NOT NULL AND r.exported_at IS NULL))""",
        calls,
    )
    count.pending = len(waiting) + (0 if settled(states, len(calls)) else len(calls) - count.final)
    keys, count.object_versions = await _objects(place.settings)
    async with Audit(place.settings) as audit:
        findings = await audit.examine(calls)
        events = await audit.event_ids(topics.VOC_CALLS)
        exported = await audit.exported()
    count.problems = findings.problems
    count.places = {
        "objects in S3": keys,
        "results in PostgreSQL": Counter({row["call_id"]: row["n"] for row in results}),
        "rows that ClickHouse shows": exported,
        "event ids in voc.calls": Counter({call_id: len(ids) for call_id, ids in events.items()}),
    }
    return count


async def _objects(settings: Settings) -> tuple[Counter[str], int]:
    """Return how many recordings S3 has of each call, and how many versions: a copy that was cut off before its commit is made again."""
    client = get_session().create_client(
        "s3",
        region_name=settings.s3_region,
        endpoint_url=settings.s3_endpoint_url,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=settings.s3_secret_access_key.get_secret_value(),
    )
    keys: set[str] = set()
    versions = 0
    async with client as s3:
        async for page in s3.get_paginator("list_object_versions").paginate(Bucket=settings.bucket, Prefix="raw/"):
            versions += len(page.get("Versions", ()))
            keys |= {version["Key"] for version in page.get("Versions", ())}
    return Counter(key.rpartition("/")[2].removesuffix(".wav") for key in keys), versions


if __name__ == "__main__":
    run(main, "chaos-calls")
