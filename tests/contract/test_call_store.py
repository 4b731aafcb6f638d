"""What every call store does, in memory or in PostgreSQL."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest

from tests.calls import (
    NOW,
    at,
    audio_ready,
    downloaded,
    enriched,
    enriched_call,
    errored,
    missing,
    parked,
    scored,
    scoring_result,
)
from tests.contract.conftest import AnyCallStore
from voc_stream.stages.changes import Change, Downloaded, Exported, Scored, Status, may_fail, may_move

ID = enriched_call().call_id
LATER = NOW + timedelta(minutes=30)

ROUTES: dict[Status, tuple[Change, ...]] = {
    Status.PENDING_DOWNLOAD: (enriched(),),
    Status.DOWNLOADED: (enriched(), downloaded()),
    Status.SCORED: (enriched(), downloaded(), scored()),
    Status.NOT_SCORABLE: (enriched(), downloaded(), scored(scoring_result(outcome="NOT_SCORABLE"))),
    Status.MISSING: (enriched(), missing(ID)),
    Status.ERROR: (enriched(), errored(ID)),
}


async def put(store: AnyCallStore, *changes: Change) -> None:
    for change in changes:
        await store.apply([change])


async def due_ids(store: AnyCallStore, now: datetime) -> list[str]:
    async with store.due(10, now) as calls:
        return [call.call_id for call in calls]


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, new in itertools.product(Status, Status) if new is not Status.PENDING_DOWNLOAD])
async def test_a_status_moves_along_the_allowed_edges_only(store: AnyCallStore, old: Status, new: Status) -> None:
    await put(store, *ROUTES[old])
    await store.apply([ROUTES[new][-1]])
    may = may_fail(old, "download") if new is Status.ERROR else may_move(old, new)
    assert await store.status(ID) == (new if may else old)


@pytest.mark.parametrize("old", Status)
async def test_a_redelivered_call_never_sets_its_status_back(store: AnyCallStore, old: Status) -> None:
    await put(store, *ROUTES[old], enriched(by=at(99)))
    assert await store.status(ID) is old


async def test_changes_of_one_call_may_come_in_one_go(store: AnyCallStore) -> None:
    await store.apply([*ROUTES[Status.SCORED], Exported(ID, "rubric-1+none", at(3))])
    assert await store.status(ID) is Status.SCORED


async def test_many_calls_in_one_go_are_all_there_and_a_double_one_once(store: AnyCallStore) -> None:
    await store.apply([enriched(enriched_call(f"c{number % 40}"), by=at(number)) for number in range(50)])
    counts = await store.counts()
    assert counts[Status.PENDING_DOWNLOAD] == 40
    assert sum(counts.values()) == 40


async def test_no_changes_are_no_trouble(store: AnyCallStore) -> None:
    await store.apply([])
    assert await store.counts() == dict.fromkeys(Status, 0)


async def test_a_recording_is_given_back_as_it_was_published(store: AnyCallStore) -> None:
    call = enriched_call(switch_call_id="sw-1")
    await put(store, enriched(call), downloaded(call))
    assert await store.asset(ID) == audio_ready(call)


async def test_the_same_recording_again_keeps_its_first_value(store: AnyCallStore) -> None:
    again = msgspec.structs.replace(audio_ready(), ingest_delay_ms=99_000)
    await put(store, enriched(), downloaded(), errored(ID))
    assert await due_ids(store, LATER) == [ID]
    await store.apply([Downloaded(again, at(7))])
    assert await store.status(ID) is Status.DOWNLOADED
    assert await store.asset(ID) == audio_ready()


async def test_an_unknown_call_has_nothing(store: AnyCallStore) -> None:
    assert await store.status("nobody") is None
    assert await store.asset("nobody") is None
    assert await store.result("nobody", "m") is None
    assert await store.first_missing_at("nobody") is None
    assert await store.timeline("nobody") == []


async def test_a_change_of_an_unknown_call_is_told_and_nothing_else(store: AnyCallStore) -> None:
    await store.apply([downloaded(), scored(), missing(ID)])
    assert await store.status(ID) is None
    assert [(entry.what, entry.detail) for entry in await store.timeline(ID)] == [
        (what, "refused: the call is unknown") for what in ("downloaded", "scored", "missing")
    ]


@pytest.mark.parametrize("result", [scoring_result(), scoring_result(outcome="NOT_SCORABLE")])
async def test_a_result_is_given_back_as_it_was_published(store: AnyCallStore, result: object) -> None:
    assert isinstance(result, type(scoring_result()))
    await put(store, enriched(), downloaded(), Scored(result, at(2)))
    assert await store.result(ID, result.model_version) == result
    assert await store.result(ID, "another") is None


async def test_the_first_result_of_a_model_stands_and_another_model_adds_its_own(store: AnyCallStore) -> None:
    await put(store, *ROUTES[Status.SCORED], scored(scoring_result(score=1.0)), scored(scoring_result(score=50.5, model_version="rubric-2+none")))
    first, second = await store.result(ID, "rubric-1+none"), await store.result(ID, "rubric-2+none")
    assert first is not None
    assert second is not None
    assert (first.score, second.score) == (87.25, 50.5)


async def test_a_result_before_its_recording_is_refused(store: AnyCallStore) -> None:
    await put(store, enriched(), scored())
    assert await store.result(ID, "rubric-1+none") is None
    assert (await store.timeline(ID))[-1].detail == "refused: the call is PENDING_DOWNLOAD"


async def test_a_parked_call_is_lent_when_its_time_has_come_and_then_no_more(store: AnyCallStore) -> None:
    await put(store, enriched(), parked(ID, LATER))
    assert await due_ids(store, LATER - timedelta(seconds=1)) == []
    async with store.due(10, LATER) as calls:
        assert calls == [enriched_call()]
    assert await due_ids(store, LATER) == []
    assert await store.status(ID) is Status.PENDING_DOWNLOAD


async def test_the_first_time_a_recording_was_missing_is_remembered(store: AnyCallStore) -> None:
    await put(store, enriched(), parked(ID, LATER, by=at(1)), parked(ID, LATER, by=at(2, time=NOW + timedelta(hours=1))))
    assert await store.first_missing_at(ID) == NOW


async def test_a_downloaded_call_is_due_no_more_and_cannot_be_parked(store: AnyCallStore) -> None:
    await put(store, enriched(), parked(ID, LATER), downloaded(), parked(ID, LATER, by=at(9)))
    assert await due_ids(store, LATER) == []


async def test_calls_whose_publication_failed_are_due_as_before(store: AnyCallStore) -> None:
    await put(store, enriched(), errored(ID))
    with pytest.raises(ConnectionAbortedError):
        async with store.due(10, LATER):
            raise ConnectionAbortedError
    assert await store.status(ID) is Status.ERROR
    assert await due_ids(store, LATER) == [ID]


async def test_two_lenders_do_not_get_the_same_call(store: AnyCallStore) -> None:
    await store.apply([enriched(enriched_call(f"c{number}")) for number in range(4)])
    await store.apply([parked(f"c{number}", LATER) for number in range(4)])
    async with store.due(3, LATER) as first, store.due(3, LATER) as second:
        ids = [call.call_id for call in (*first, *second)]
    assert sorted(ids) == ["c0", "c1", "c2", "c3"]


async def test_a_failed_call_comes_back_as_often_as_allowed(store: AnyCallStore) -> None:
    await store.apply([enriched()])
    for attempt in range(3):
        await store.apply([errored(ID, by=at(attempt))])
        assert await due_ids(store, NOW + timedelta(seconds=599)) == []
        assert await due_ids(store, NOW + timedelta(seconds=600)) == ([ID] if attempt < 2 else [])
    assert await store.status(ID) is Status.ERROR
    assert [entry.attempt for entry in await store.timeline(ID) if entry.what == "redriven"] == [1, 2]


async def test_a_call_that_cannot_pass_does_not_come_back(store: AnyCallStore) -> None:
    await put(store, enriched(), errored(ID, retry=False))
    assert await due_ids(store, LATER) == []


@pytest.mark.parametrize("old", [Status.SCORED, Status.NOT_SCORABLE])
async def test_a_call_whose_export_failed_is_in_error_and_comes_back(store: AnyCallStore, old: Status) -> None:
    await put(store, *ROUTES[old], replace(errored(ID), stage="export"))
    assert await store.status(ID) is Status.ERROR
    assert await due_ids(store, LATER) == [ID]
    await put(store, downloaded(by=at(5)), ROUTES[old][-1])
    assert await store.status(ID) is old


async def test_a_repeated_error_does_not_put_the_next_attempt_off(store: AnyCallStore) -> None:
    await put(store, enriched(), errored(ID), errored(ID, by=at(8, time=NOW + timedelta(hours=5))))
    assert await due_ids(store, NOW + timedelta(seconds=600)) == [ID]


async def test_the_timeline_tells_each_record_once_in_order(store: AnyCallStore) -> None:
    for _redelivered in range(2):
        await put(store, enriched(by=at(1)), downloaded(by=at(2, time=NOW + timedelta(seconds=1))), scored(by=at(3, time=NOW + timedelta(seconds=2))))
    assert [(entry.stage, entry.what, entry.status, entry.offset, entry.detail) for entry in await store.timeline(ID)] == [
        ("enrich", "enriched", Status.PENDING_DOWNLOAD, 1, None),
        ("download", "downloaded", Status.DOWNLOADED, 2, None),
        ("score", "scored", Status.SCORED, 3, None),
    ]


async def test_the_timeline_names_the_trace_where_there_is_one(store: AnyCallStore) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await put(store, enriched(by=at(1)), downloaded(by=replace(at(2), trace_id=trace)), errored(ID, by=replace(at(3), trace_id=trace)))
    assert [entry.trace_id for entry in await store.timeline(ID)] == [None, trace, trace]


async def test_a_call_without_a_tenant_takes_the_one_that_a_later_record_brings(store: AnyCallStore) -> None:
    await put(store, enriched(enriched_call(tenant_id="unassigned")), downloaded(), enriched(enriched_call(tenant_id="acme"), by=at(2)))
    await store.apply([enriched(enriched_call(tenant_id="globex"), by=at(3))])
    asset = await store.asset(ID)
    assert asset is not None
    assert asset.tenant_id == "acme"


async def test_mapped_calls_are_lent_with_their_tenant_whatever_stands_before_them(store: AnyCallStore) -> None:
    await store.apply([enriched(enriched_call(f"a{number}", tenant_id="unassigned", service="unknown")) for number in range(5)])
    await store.apply([enriched(enriched_call("b", tenant_id="unassigned", service="globex"))])
    tenants = {"globex": "globex"}
    async with store.unassigned(2, lambda service, _skill: tenants.get(service)) as calls:
        assert calls == [enriched_call("b", tenant_id="globex", service="globex")]
    async with store.unassigned(2, lambda service, _skill: tenants.get(service)) as calls:
        assert calls == []


async def test_a_call_whose_publication_failed_stays_without_a_tenant(store: AnyCallStore) -> None:
    await store.apply([enriched(enriched_call(tenant_id="unassigned"))])
    with pytest.raises(ConnectionAbortedError):
        async with store.unassigned(2, lambda _service, _skill: "acme"):
            raise ConnectionAbortedError
    async with store.unassigned(2, lambda _service, _skill: "acme") as calls:
        assert [call.call_id for call in calls] == [ID]


async def test_a_checkpoint_never_moves_backwards(store: AnyCallStore) -> None:
    assert await store.checkpoint(1) is None
    await store.save_checkpoint(1, NOW, LATER)
    await store.save_checkpoint(1, NOW - timedelta(hours=1), NOW)
    await store.save_checkpoint(2, NOW, NOW)
    assert await store.checkpoint(1) == (NOW, LATER)
    assert await store.checkpoint(2) == (NOW, NOW)
