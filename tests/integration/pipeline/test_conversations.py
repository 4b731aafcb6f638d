"""Transfers and holds: segments of one call, joined by switch_call_id all the way into the view `conversation`."""

from __future__ import annotations

import pytest

from tests.integration.pipeline.pipeline import Pipeline


@pytest.mark.parametrize(("kind", "agents"), [("transfer", 2), ("hold", 1)])
async def test_the_segments_of_a_call_are_one_conversation_in_order_with_one_weighted_score(pipeline: Pipeline, kind: str, agents: int) -> None:
    segments = await pipeline.record(kind)
    alone = await pipeline.spoken(1)
    call_ids = [segment["inum"] for segment in segments]
    await pipeline.until_settled([*call_ids, *alone])
    view = await pipeline.row("SELECT * FROM conversation WHERE $1 = ANY(call_ids)", call_ids[0])
    single = await pipeline.row("SELECT * FROM conversation WHERE $1 = ANY(call_ids)", alone[0])
    results = await pipeline.rows("SELECT score, talk_seconds FROM scoring_result WHERE call_id = ANY($1::varchar[])", call_ids)
    assert (list(view["call_ids"]), view["switch_call_id"]) == (call_ids, segments[0]["switch_call_id"])
    assert len(set(view["agent_ids"])) == agents
    assert list(view["statuses"]) == ["SCORED", "SCORED"]
    assert (view["segments"], view["scored_segments"]) == (2, 2)
    assert view["started_at"].isoformat() == segments[0]["started_at"]
    assert view["ended_at"].isoformat() == segments[-1]["ended_at"]
    talked = sum(row["talk_seconds"] for row in results)
    weighted = sum(float(row["score"]) * row["talk_seconds"] for row in results) / talked
    assert talked > 0
    assert float(view["score"]) == pytest.approx(weighted, abs=0.01)
    assert (list(single["call_ids"]), single["segments"]) == (alone, 1)
