"""Every kind of call that the recorder simulator knows, all at once: each ends as docs/recorder-simulator.md says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.integration.pipeline.pipeline import Pipeline, reason_of
from voc_stream.devstack.audit import Row
from voc_stream.devstack.recorder.kinds import KINDS

# Shorter than the real thing where the length proves nothing more.
_WISHES: dict[str, dict[str, Any]] = {"two_hours": {"seconds": 300}, "late": {"late_seconds": 5}}
_STATUS = {"scored": "SCORED", "not_scorable": "NOT_SCORABLE", "missing": "MISSING", "dead_letter": "ERROR"}
# What a person reads who asks why; None: a scored call needs no reason.
_REASONS = {
    "scored": None,
    "not_scorable:silent": "silent",
    "not_scorable:empty": "is an empty file",
    "not_scorable:truncated": "its header promises",
    "not_scorable:one_sided": "one side",
    "not_scorable:not_speech": "speech",
    "not_scorable:too_short": "under 3 s there is nothing to judge",
    "missing": "the recorder had no recording for ",
    "text": "not audio",
    "breaks": "recorder: the connection broke off",
    "fails": "recorder: it answered 500 (after 3 attempts)",
}


async def test_every_kind_ends_in_its_state_with_a_readable_reason_and_its_neighbours_are_scored(pipeline: Pipeline) -> None:
    await every_kind_ends_as_documented(pipeline)


async def every_kind_ends_as_documented(pipeline: Pipeline) -> None:
    """Have one call of each kind recorded at once, and hold what becomes of them against the simulator's truth."""
    made = await asyncio.gather(*(pipeline.record(kind, **_WISHES.get(kind, {})) for kind in KINDS))
    truth = {call["inum"]: call for calls in made for call in calls}
    rows = await pipeline.until_settled(truth)
    wrong = {call["kind"]: problem for call_id, call in truth.items() if (problem := _problem(call, rows[call_id]))}
    assert wrong == {}
    letters = await pipeline.letters(truth)
    assert {record.key.decode(): truth[record.key.decode()]["kind"] for records in letters.values() for record in records} == {
        call_id: call["kind"] for call_id, call in truth.items() if call["expected"] == "dead_letter"
    }
    assert all(rows[record.key.decode()].reason == reason_of(record) for records in letters.values() for record in records)
    await pipeline.assert_consistent(truth)


def _problem(call: Mapping[str, Any], row: Row) -> str | None:
    status = _STATUS[call["expected"].partition(":")[0]]
    reason = _REASONS.get(call["kind"], _REASONS.get(call["expected"]))
    if str(row.status) != status:
        return f"{row.status}, expected {status}"
    if (reason is None) != (row.reason is None) or (reason or "") not in (row.reason or ""):
        return f"{row.reason!r} does not say {reason!r}"
    return None
