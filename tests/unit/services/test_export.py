"""Results to ClickHouse in one insert a chunk (spec section 2.6)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.calls import enriched_call, scoring_result
from tests.fakes.composite import FakeCompositeStore, FakeCompositeTable, FakeFeelings
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.privacy import FakePrivacy
from tests.fakes.warehouse import FakeWarehouse
from tests.unit.services.made import facts
from voc_stream.clients.call_privacy import Standing
from voc_stream.clients.completeness_asks import Event
from voc_stream.errors import OutageError, RejectedError
from voc_stream.events.base import derived_id
from voc_stream.events.calls import ScoringResult, Transcript, Turn
from voc_stream.runtime.stage import Delivery
from voc_stream.services.composite import Composite
from voc_stream.services.export import Exporter
from voc_stream.stages.composite import Weights
from voc_stream.stages.outcome import Drop, Ok, Outcome

SAID = Transcript(turns=(Turn(speaker="agent", start=0.4, end=2.1, text="Hello"),))
DEDUP_SECONDS = 86_400.0
KEY = "transcripts/2026/11/22/7_x.json"


class Scene:
    def __init__(self) -> None:
        self.warehouse, self.objects = FakeWarehouse(), FakeObjectStore()
        self.composites = FakeCompositeStore()
        composite = Composite(self.composites, FakeCompositeTable(), FakeFeelings(), Weights)
        self.privacy = FakePrivacy()
        self.now = scoring_result().ended_at
        self.stored: set[Event] = set()
        self.asked: list[tuple[set[Event], datetime, datetime]] = []
        self.exporter = Exporter(
            warehouse=self.warehouse,  # type: ignore[arg-type]
            objects=self.objects,  # type: ignore[arg-type]
            composite=composite,
            privacy=self.privacy,  # type: ignore[arg-type]
            copies=self.copies,
            dedup_seconds=DEDUP_SECONDS,
            topic="voc.calls",
            now=lambda: self.now,
        )

    async def copies(self, events: Collection[Event], since: datetime, until: datetime) -> dict[Event, int]:
        self.asked.append((set(events), since, until))
        return {event: 1 for event in events if event in self.stored}

    async def export(self, *results: ScoringResult, first: int = 1) -> Sequence[Outcome]:
        return await self.exporter.export([Delivery(result, facts(first + at), None) for at, result in enumerate(results)])


def with_transcript(call_id: str = "700000000000001", **changes: Any) -> ScoringResult:
    return msgspec.structs.replace(scoring_result(enriched_call(call_id)), transcript_key=KEY, **changes)


async def test_a_chunk_is_one_insert_and_each_transcript_becomes_an_event() -> None:
    scene = Scene()
    await scene.objects.put_bytes(KEY, msgspec.json.encode(SAID), content_type="application/json", metadata={}, tags={})
    outcomes = await scene.export(with_transcript("1"), scoring_result(enriched_call("2"), outcome="NOT_SCORABLE"))

    assert len(scene.warehouse.tokens) == 1
    assert {call_id for call_id, _ in scene.warehouse.scores} == {"1", "2"}
    assert [len(outcome.out) for outcome in outcomes if isinstance(outcome, Ok)] == [1, 0]


async def test_the_same_chunk_again_has_the_same_token() -> None:
    scene = Scene()
    for _ in range(2):
        await scene.export(scoring_result(enriched_call("1")), scoring_result(enriched_call("2")))

    assert len(set(scene.warehouse.tokens)) == 1


async def test_other_results_at_the_same_offsets_have_another_token_and_are_kept() -> None:
    """A topic made anew begins at 0 again; ClickHouse drops what comes with a token that it knows."""
    scene = Scene()
    await scene.export(scoring_result(enriched_call("1")))
    await scene.export(scoring_result(enriched_call("2")))

    assert {call_id for call_id, _ in scene.warehouse.scores} == {"1", "2"}


async def test_nothing_passes_before_clickhouse_has_it() -> None:
    scene = Scene()
    scene.warehouse.fail_with = OutageError("clickhouse", "connection refused")
    with pytest.raises(OutageError):
        await scene.export(scoring_result())


@pytest.mark.parametrize("stored", [None, b"not a transcript"])
async def test_a_transcript_that_is_gone_or_broken_refuses_the_result_before_anything_is_inserted(stored: bytes | None) -> None:
    scene = Scene()
    if stored is not None:
        await scene.objects.put_bytes(KEY, stored, content_type="application/json", metadata={}, tags={})
    with pytest.raises(RejectedError):
        await scene.export(with_transcript())

    assert scene.warehouse.scores == {}


async def test_the_quality_of_a_call_goes_to_its_composite_score() -> None:
    scene = Scene()
    await scene.export(scoring_result(enriched_call("1")), scoring_result(enriched_call("2"), outcome="NOT_SCORABLE"))

    scores = {call_id: call.quality.score for (_, call_id), call in scene.composites.calls.items() if call.quality}
    assert scores == {"1": Decimal("87.25"), "2": None}


async def test_nothing_passes_before_the_composite_score_has_it() -> None:
    scene = Scene()
    scene.composites.faults.fail_next("before", OutageError("postgres", "connection refused"))
    with pytest.raises(OutageError):
        await scene.export(scoring_result())


async def test_the_results_of_forgotten_calls_go_nowhere_and_the_others_keep_their_places() -> None:
    scene = Scene()
    scene.privacy.known["700000000000001"] = Standing(forgotten=True)
    first, second = await scene.export(scoring_result(), scoring_result(enriched_call("700000000000002")))
    assert first == Drop("forgotten")
    assert isinstance(second, Ok)
    assert [call_id for call_id, _ in scene.warehouse.scores] == ["700000000000002"]


async def test_the_event_of_an_old_call_that_is_stored_is_not_published_again_because_dedup_may_have_forgotten_it() -> None:
    scene = Scene()
    await scene.objects.put_bytes(KEY, msgspec.json.encode(SAID), content_type="application/json", metadata={}, tags={})
    results = [with_transcript("1"), with_transcript("2")]
    scene.stored = {(results[0].tenant_id, derived_id(results[0].tenant_id, "1"))}

    young = await scene.export(*results)
    assert [len(outcome.out) for outcome in young if isinstance(outcome, Ok)] == [1, 1]
    assert not scene.asked

    scene.now += timedelta(seconds=DEDUP_SECONDS / 2 + 1)
    old = await scene.export(*results, first=3)
    assert [len(outcome.out) for outcome in old if isinstance(outcome, Ok)] == [0, 1]
    ((asked, since, until),) = scene.asked
    assert len(asked) == 2
    assert since < results[0].ended_at < until
