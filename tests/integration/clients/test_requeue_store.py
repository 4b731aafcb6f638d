"""Letters are lent to one requeue at a time; calls, timeline and audit log follow in the same transaction, or nothing does."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.calls import NOW, at, audio_ready, downloaded, enriched, enriched_call, errored, scored, scoring_result
from tests.fakes.letters import letter
from voc_stream import topics
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter, LetterRow
from voc_stream.clients.postgres import Database
from voc_stream.clients.requeue_store import RequeueStore
from voc_stream.errors import OutageError
from voc_stream.runtime.letter_reading import StoredLetter
from voc_stream.security.vault import Vault
from voc_stream.stages.changes import Errored, Status

CALL = "700000000000001"
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def letters(db: Database, vault: Vault) -> DeadLetters:
    return DeadLetters(db, vault)


@pytest.fixture
def requeues(db: Database) -> RequeueStore:
    return RequeueStore(db)


def of_call(number: int, topic: str, stage: str, **fields: Any) -> StoredLetter:
    return replace(letter(number, topic=topic, stage=stage, error_type="attempts_exhausted", call_id=CALL, **fields), id=None)


async def stored(letters: DeadLetters, *given: StoredLetter) -> list[LetterRow]:
    """Store letters; returns them, oldest first."""
    await letters.put([replace(each, id=None) for each in given])
    return (await letters.find(LetterFilter(), 100))[::-1]


async def sent(requeues: RequeueStore, *rows: LetterRow, now: datetime = LATER) -> frozenset[int]:
    """Send what can be lent of some letters; returns the ids of those that went along."""
    async with requeues.lend([row.id for row in rows], actor="cli:ada", now=now) as loan:
        mine = [row for row in rows if row.id in loan.ids]
        await loan.bring_back(mine, now)
        for row in mine:
            loan.sent(row, row.partition, 40 + row.id)
    return loan.along


async def audited(db: Database) -> list[tuple[str, dict[str, Any]]]:
    """Return subject and what came of it, of each requeue in the audit log."""
    async with db.connection() as connection:
        rows = await connection.fetch("SELECT subject, actor, after FROM audit_log WHERE action = 'dead letter requeued' ORDER BY id")
    assert {row["actor"] for row in rows} <= {"cli:ada"}
    return [(row["subject"], json.loads(row["after"])) for row in rows]


@pytest.fixture
async def audit_from(db: Database) -> int:
    """The log keeps what the tests before wrote."""
    async with db.connection() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM audit_log WHERE action = 'dead letter requeued'")
    return count


async def test_a_call_that_failed_to_be_scored_comes_back_as_downloaded_and_is_scored(
    db: Database, store: CallStore, letters: DeadLetters, requeues: RequeueStore, audit_from: int
) -> None:
    await store.apply([enriched()])
    await store.apply([downloaded()])
    await store.apply([Errored(CALL, "score", "scorer: it answered 500", retry=True, at=at(7, topic=topics.AUDIO_READY))])
    (row,) = await stored(letters, of_call(7, topics.AUDIO_READY, "score", requeues=1))
    assert await store.status(CALL) is Status.ERROR

    await sent(requeues, row)

    assert await store.status(CALL) is Status.DOWNLOADED
    async with store.due(10, LATER + timedelta(days=1)) as due:
        assert due == [], "it is not driven by itself besides"
    (told,) = [entry for entry in await store.timeline(CALL) if entry.what == "requeued"]
    assert (told.stage, told.status, told.topic, told.offset, told.attempt) == ("score", Status.DOWNLOADED, topics.AUDIO_READY, 7, 2)
    (after,) = await letters.find(LetterFilter(), 10)
    assert (after.state, after.requeued_at, after.requeues) == ("requeued", LATER, 1)
    (entry,) = (await audited(db))[audit_from:]
    assert entry == (
        f"dead letter {row.id}",
        {"state": "requeued", "attempt": 2, "topic": topics.AUDIO_READY, "partition": 3, "offset": 40 + row.id},
    )
    await store.apply([scored()])
    assert await store.status(CALL) is Status.SCORED


async def test_a_call_whose_download_failed_waits_for_its_download_and_one_whose_export_failed_has_its_result(
    store: CallStore, letters: DeadLetters, requeues: RequeueStore
) -> None:
    other = enriched_call("700000000000002")
    await store.apply([enriched(), enriched(other)])
    await store.apply([errored(CALL), downloaded(other)])
    await store.apply([scored(scoring_result(other, outcome="NOT_SCORABLE"))])
    await store.apply([Errored(other.call_id, "export", "clickhouse: it refuses the row", retry=False, at=at(9, topic=topics.SCORING_RESULTS))])

    exported = replace(of_call(9, topics.SCORING_RESULTS, "export"), call_id=other.call_id)
    await sent(requeues, *await stored(letters, of_call(1, topics.CALLS_ENRICHED, "download"), exported))

    assert await store.status(CALL) is Status.PENDING_DOWNLOAD
    assert await store.status(other.call_id) is Status.NOT_SCORABLE


async def test_a_call_that_went_on_by_itself_stays_where_it_is(store: CallStore, letters: DeadLetters, requeues: RequeueStore) -> None:
    await store.apply([enriched()])
    await store.apply([downloaded()])
    await store.apply([scored()])
    await sent(requeues, *await stored(letters, of_call(1, topics.CALLS_ENRICHED, "download")))
    assert await store.status(CALL) is Status.SCORED
    assert [entry for entry in await store.timeline(CALL) if entry.what == "requeued"] == []


async def test_a_stage_that_is_faster_than_the_requeue_waits_for_it_and_then_finds_the_call(
    store: CallStore, letters: DeadLetters, requeues: RequeueStore
) -> None:
    await store.apply([enriched()])
    await store.apply([errored(CALL)])
    rows = await stored(letters, of_call(1, topics.CALLS_ENRICHED, "download"))

    async with requeues.lend([rows[0].id], actor="cli:ada", now=LATER) as loan:
        await loan.bring_back(rows, LATER)
        stage = asyncio.create_task(store.apply([downloaded(by=at(50, topic=topics.CALLS_ENRICHED))]))
        await asyncio.wait([stage], timeout=0.2)
        assert not stage.done()
        loan.sent(rows[0], 0, 50)
    await stage

    assert await store.status(CALL) is Status.DOWNLOADED
    assert await store.asset(CALL) == audio_ready()


async def test_when_the_block_raises_nothing_has_changed(
    db: Database, store: CallStore, letters: DeadLetters, requeues: RequeueStore, audit_from: int
) -> None:
    await store.apply([enriched()])
    await store.apply([errored(CALL)])
    (row,) = await stored(letters, of_call(1, topics.CALLS_ENRICHED, "download"))

    async def fails() -> None:
        async with requeues.lend([row.id], actor="cli:ada", now=LATER) as loan:
            await loan.bring_back([row], LATER)
            loan.sent(row, 0, 50)
            raise OutageError("kafka", "records were not acknowledged in time")

    with pytest.raises(OutageError, match="acknowledged"):
        await fails()

    assert await store.status(CALL) is Status.ERROR
    assert [row.state for row in await letters.find(LetterFilter(), 10)] == ["open"]
    assert (await audited(db))[audit_from:] == []


async def test_what_one_requeue_holds_another_does_not_get_and_what_is_not_open_nobody(letters: DeadLetters, requeues: RequeueStore) -> None:
    first, second, discarded = await stored(letters, letter(1), letter(2), letter(3))
    await letters.discard(LetterFilter(ids=[discarded.id]), 10, "cli:ada")
    ids = [first.id, second.id, discarded.id]

    async with requeues.lend([first.id], actor="cli:ada", now=LATER) as loan:
        assert loan.ids == {first.id}
        async with requeues.lend(ids, actor="cli:bob", now=LATER) as other:
            assert other.ids == {second.id}
        loan.sent(first, 0, 1)
    async with requeues.lend(ids, actor="cli:bob", now=LATER) as rest:
        assert rest.ids == {second.id}


async def test_of_several_letters_of_a_call_the_newest_is_sent_and_the_others_go_along(
    db: Database, letters: DeadLetters, requeues: RequeueStore, audit_from: int
) -> None:
    rows = await stored(
        letters,
        of_call(1, topics.CALLS_ENRICHED, "download"),
        of_call(5, topics.CALLS_ENRICHED, "download"),
        of_call(9, topics.CALLS_ENRICHED, "download"),
        of_call(2, topics.AUDIO_READY, "score"),
    )
    oldest, middle, newest, elsewhere = rows

    assert await sent(requeues, oldest) == frozenset()
    assert await sent(requeues, oldest, newest) == {oldest.id, middle.id}

    states = {row.id: row.state for row in await letters.find(LetterFilter(), 10)}
    assert states == {oldest.id: "requeued", middle.id: "requeued", newest.id: "requeued", elsewhere.id: "open"}
    entries = dict((await audited(db))[audit_from:])
    assert set(entries) == {f"dead letter {row.id}" for row in (oldest, middle, newest)}
    assert entries[f"dead letter {oldest.id}"] == {"state": "requeued", "with": newest.id}


async def test_a_record_that_was_dead_lettered_twice_goes_back_once_and_events_of_one_call_are_not_one_thing(
    letters: DeadLetters, requeues: RequeueStore
) -> None:
    first = replace(letter(1), call_id=CALL)
    twice = replace(first, dlq_offset=2)
    another = replace(letter(3), call_id=CALL)
    rows = await stored(letters, first, twice, another)

    assert await sent(requeues, *rows) == {rows[0].id}


async def test_open_letters_are_counted_by_topic(letters: DeadLetters, requeues: RequeueStore) -> None:
    rows = await stored(letters, letter(1), letter(2), letter(3, fingerprint="f2"), letter(4, topic="voc.actions"))
    await letters.discard(LetterFilter(ids=[rows[0].id]), 10, "cli:ada")
    assert await requeues.open_by_topic(LetterFilter()) == {"voc.actions": 1, "voc.calls": 2}
    assert await requeues.open_by_topic(LetterFilter(fingerprint="f2")) == {"voc.calls": 1}
    assert await requeues.open_by_topic(LetterFilter(state="discarded")) == {}
