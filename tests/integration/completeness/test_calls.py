"""What somebody deletes by hand is found, named, and done again where that is possible: on Kafka, PostgreSQL, S3 and ClickHouse themselves."""

from __future__ import annotations

from tests.integration.completeness.world import World, gaps_by_subject
from voc_stream.stages.completeness import Hop, Remedy, merged


async def test_calls_that_went_all_the_way_add_up_in_every_equation(here: World) -> None:
    await here.lived("1")
    await here.lived("2", partition=1)
    await here.lived("3", service="globex-sales")
    await here.settle()

    found = merged(await here.examined())

    assert [(each.tenant_id, each.hop, each.left, each.gap_count) for each in found] == [
        (tenant, hop, count, 0) for tenant, count in (("acme", 2), ("globex", 1)) for hop in Hop
    ]


async def test_what_was_deleted_by_hand_is_named_and_done_again(here: World) -> None:
    names = here.names
    lost = ("object", "asset", "row", "result", "score", "event")
    for call_id in ("whole", *lost):
        await here.lived(call_id)
    here.at_recorder("missed")
    await here.settle()
    await here.delete_object("object")
    await here.execute("DELETE FROM audio_asset WHERE call_id = 'asset'")
    await here.execute("DELETE FROM call WHERE call_id = 'row'")
    await here.execute("DELETE FROM scoring_result WHERE call_id = 'result'")
    await here.delete_rows("call_scores", "score")
    await here.delete_rows("voc_events", "event")

    gaps = gaps_by_subject(await here.examined())

    event = f"{names.events}[0]@{6}"
    assert {key: gap.remedy for key, gap in gaps.items()} == {
        (Hop.DOWNLOAD, "object"): Remedy.COPY,
        (Hop.DOWNLOAD, "asset"): Remedy.COPY,
        (Hop.ENRICH, "row"): Remedy.ENRICH,
        (Hop.EXPORT, "result"): Remedy.SCORE,
        (Hop.EXPORT, "score"): Remedy.EXPORT,
        (Hop.EVENT, "event"): Remedy.TELL,
        (Hop.STORE, event): Remedy.STORE,
        (Hop.POLL, "missed"): Remedy.POLL,
    }

    mended = await here.mended(list(gaps.values()))

    assert (mended.done.total(), mended.left) == (8, [])
    assert await here.keys(names.polled) == ["missed"]
    assert (await here.keys(names.raw)).count("row") == 2
    assert await here.keys(names.ready) == ["result"]
    assert (await here.keys(names.events)).count("event") == 1, "stored from its record, it is not sent again"
    assert await here.warehouse.view_differences() == []
    again = gaps_by_subject(await here.examined())
    # What went through topics waits for a worker, which this world does not have; the ledger sees the new record of the row.
    assert set(again) == {(Hop.EXPORT, "result"), (Hop.POLL, "missed")}


async def test_a_segment_that_was_deleted_is_named_and_what_the_recorder_knows_is_done_again(here: World) -> None:
    for call_id in ("1", "2", "3"):
        await here.lived(call_id)
    await here.settle()
    await here.execute("DELETE FROM call WHERE call_id = '2'")
    await here.delete_records(here.names.raw, 2)
    await here.delete_records(here.names.events, 2)

    gaps = gaps_by_subject(await here.examined())

    first, second = gaps[Hop.POLL, "1"], gaps[Hop.POLL, "2"]
    assert (first.remedy, second.remedy) == (None, Remedy.ENRICH)
    assert "(it was at [0] 0, which begins at 2 now); its row is there" in first.what
    stretch = f"{here.names.events}[0]@0-1"
    assert gaps[Hop.STORE, stretch].what == "these records are gone from Kafka before their time; 2 of them are stored"
    assert set(gaps) == {(Hop.POLL, "1"), (Hop.POLL, "2"), (Hop.STORE, stretch)}

    mended = await here.mended(list(gaps.values()))

    assert mended.done == {Remedy.ENRICH: 1}
    assert (await here.keys(here.names.raw)).count("2") == 1


async def test_an_event_whose_record_is_gone_is_sent_again(here: World) -> None:
    await here.lived("1")
    await here.settle()
    await here.delete_rows("voc_events", "1")
    await here.delete_records(here.names.events, 1)

    gaps = gaps_by_subject(await here.examined())

    assert {key: gap.remedy for key, gap in gaps.items()} == {(Hop.EVENT, "1"): Remedy.TELL}
    assert (await here.mended(list(gaps.values()))).left == []
    assert await here.keys(here.names.events) == ["1"]


async def test_an_hour_is_kept_for_the_page_and_examined_once(here: World) -> None:
    await here.lived("1")
    await here.settle()
    await here.delete_object("1")
    reconciler = here.reconciler()

    assert await reconciler.turn() == 1
    assert await reconciler.turn() == 0
    assert await here.value("SELECT gaps FROM completeness WHERE hop = 'download' AND tenant_id = 'acme'") == 1
    assert await here.value("SELECT subject FROM completeness_gap") == "1"
