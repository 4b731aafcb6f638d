"""From the hang-up to the score, with the polling of production: calls as they come, and where their seconds go."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import mean
from typing import Any

import msgspec

from benchmarks.field import Field
from benchmarks.processes import MACHINE, CpuLog
from benchmarks.report import Report, Target, percentile, say, table
from voc_stream import topics
from voc_stream.devstack.audit import read_all

CALLS = 100
A_MINUTE = 20
GUARD = 30.0
BEYOND_GUARD = 60.0
LONG_CALLS = 3
LONG_SECONDS = 600.0
PARTS = ("kafka", "postgres", "s3", "clickhouse", "recorder", "scoring")
_TIMES = """
SELECT c.call_id, c.ended_at, c.created_at AS enriched, d.created_at AS downloaded, r.created_at AS scored, r.latency_ms, e.created_at AS exported
FROM call c
JOIN call_event d ON d.call_id = c.call_id AND d.what = 'downloaded'
JOIN scoring_result r ON r.call_id = c.call_id
JOIN call_event e ON e.call_id = c.call_id AND e.what = 'exported'
WHERE c.call_id = ANY(%s)
"""
_COLUMNS = ("hop", "mean s", "median s", "p95 s", "longest s", "share of the mean, %")


@dataclass(frozen=True, slots=True)
class Way:
    """A call's hops, in seconds from its end: `found` is when Kafka acknowledged the poll's record, `asked` when the scorer got the recording."""

    seconds: float
    found: float
    enriched: float
    downloaded: float
    asked: float
    scored: float
    exported: float


# What a hop is called → its seconds. A hop's share is of the way from the end of the call to the score.
HOPS: dict[str, Callable[[Way], float]] = {
    "waiting for the poll or sweep": lambda way: way.found,
    "dedup and enrich": lambda way: way.enriched - way.found,
    "download": lambda way: way.downloaded - way.enriched,
    "waiting for the scorer": lambda way: way.asked - way.downloaded,
    "scoring": lambda way: way.scored - way.asked,
}


def measure(calls: int = CALLS, long_calls: int = LONG_CALLS) -> Report:
    """Let calls of 30 s to 3 minutes hang up, then some of ten minutes.

    Args:
        calls: of the first kind, 20 hang-ups a minute.
        long_calls: of the second, 30 s apart.
    """
    # A scoring job a core: 20 calls of 90 s a minute are 30 s of recording a second, more than one core hears.
    with Field(parts=PARTS, env={"SCORER_JOBS": str(os.cpu_count())}) as field, field.worker({}) as worker:
        with CpuLog({"worker": worker.pid, **field.pids}, every=5) as log:
            began = time.time()
            usual = _arrive(field, calls)
            used = log.between(began, time.time())
            took = time.time() - began
            machine = used.pop(MACHINE)
        longer = _arrive_long(field, long_calls) if long_calls else []
        problems = field.examine([*usual, *longer]).problems
        ways, long_ways = _ways(field, usual), _ways(field, longer)
    _tables(ways, long_ways)
    table(
        f"arrivals: cores kept busy over {took:.0f} s",
        (*used, "all", "machine"),
        [(*(seconds / took for seconds in used.values()), sum(used.values()) / took, machine / took)],
    )
    for problem in problems:
        say(f"problem: {problem}")
    return _report(ways, long_ways, len(usual) - len(ways) + len(problems))


def _report(ways: Sequence[Way], long_ways: Sequence[Way], problems: int) -> Report:
    p95 = percentile([way.scored for way in ways], 0.95)
    after_found = percentile([way.scored - way.found for way in ways], 0.95)
    report = Report("arrivals")
    report.add({"calls": len(ways), "mean_call_s": mean(way.seconds for way in ways), "p95_end_to_score_s": p95, "p95_beyond_guard_s": p95 - GUARD})
    report.add({"p95_found_to_score_s": after_found, "p95_waiting_for_poll_s": percentile([way.found for way in ways], 0.95), "problems": problems})
    if long_ways:
        report.add({"long_calls": len(long_ways), "long_slowest_end_to_score_s": max(way.scored for way in long_ways)})
    report.targets = [
        Target("p95 from the end of a call to its score, beyond the poll's guard of 30 s", p95 - GUARD, BEYOND_GUARD, " s"),
        Target("calls that did not pass whole", problems, 0),
    ]
    return report


def _arrive(field: Field, calls: int) -> list[str]:
    say(f"arrivals: {calls} calls, {A_MINUTE} hang-ups a minute, about {calls * 60 / A_MINUTE + 90:.0f} s")
    field.simulator.ask("arrivals", {"calls": calls, "rate": A_MINUTE, "mix": "plain", "seed": 3})
    while (truth := field.simulator.calls())["entered"] < calls:
        say(f"{truth['over']} of {calls} have hung up")
        time.sleep(10)
    found = [call["inum"] for call in truth["calls"]]
    field.until_exported(found)
    return found


def _arrive_long(field: Field, calls: int) -> list[str]:
    say(f"arrivals: {calls} calls of {LONG_SECONDS / 60:.0f} minutes")
    found = field.new_calls(kind="two_hours", channels=2, seconds=LONG_SECONDS, count=calls, hang_up=5, every_seconds=30)
    field.until_exported(found)
    return found


def _ways(field: Field, calls: Sequence[str]) -> list[Way]:
    found = asyncio.run(_found(field))
    lengths = {call["inum"]: call["seconds"] for call in field.simulator.calls()["calls"]}
    return [_way(row, found[row["call_id"]], lengths[row["call_id"]]) for row in field.query(_TIMES, list(calls))]


async def _found(field: Field) -> dict[str, datetime]:
    """When each call entered `calls.polled`, by the first record of it."""
    found: dict[str, datetime] = {}
    for record in await read_all(field.settings, topics.CALLS_POLLED):
        at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        call_id = msgspec.json.decode(record.value)["call_id"]
        found[call_id] = min(at, found.get(call_id, at))
    return found


def _way(row: Mapping[str, Any], found: datetime, seconds: float) -> Way:
    def since_end(moment: datetime) -> float:
        ended_at: datetime = row["ended_at"]
        return (moment - ended_at).total_seconds()

    scored = since_end(row["scored"])
    moments = (since_end(found), since_end(row["enriched"]), since_end(row["downloaded"]), scored - row["latency_ms"] / 1000)
    return Way(seconds, *moments, scored, since_end(row["exported"]))


def _tables(ways: Sequence[Way], long_ways: Sequence[Way]) -> None:
    for title, those in ((f"{len(ways)} calls of 30 s to 3 minutes", ways), (f"{len(long_ways)} calls of ten minutes", long_ways)):
        if those:
            whole = mean(way.scored for way in those)
            rows = [_row(name, [hop(way) for way in those], whole) for name, hop in HOPS.items()]
            rows.append(_row("end of call to score", [way.scored for way in those], whole))
            rows.append(_row("score to export", [way.exported - way.scored for way in those], whole))
            table(f"arrivals: {title}, mean {mean(way.seconds for way in those):.0f} s", _COLUMNS, rows)


def _row(name: str, values: Sequence[float], whole: float) -> tuple[object, ...]:
    return (name, mean(values), percentile(values, 0.5), percentile(values, 0.95), max(values), 100 * mean(values) / whole)
