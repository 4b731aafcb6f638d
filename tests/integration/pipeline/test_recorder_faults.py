"""The recorder fails on request: what heals heals by itself, what does not is told, and neighbours are not harmed."""

from __future__ import annotations

import pytest

from tests.integration.pipeline.pipeline import Pipeline, header, reason_of
from voc_stream import topics


async def test_a_replay_that_is_answered_500_stalls_or_breaks_off_is_tried_again(pipeline: Pipeline) -> None:
    failing, stalling, breaking, fine = await pipeline.spoken(4, hang_up="never")
    await pipeline.fault("error", status=500, inum=failing, times=2)
    await pipeline.fault("stall", inum=stalling, times=1, after_bytes=5000)
    await pipeline.fault("break", inum=breaking, times=2, after_bytes=5000)
    await pipeline.hang_up(failing, stalling, breaking, fine)
    rows = await pipeline.until_status([failing, stalling, breaking, fine], "SCORED", "ERROR")
    assert {str(row.status) for row in rows.values()} == {"SCORED"}
    assert await pipeline.faults_left() == 0
    assert pipeline.simulator.ask(f"calls/{fine}")["replays"] == 1
    await pipeline.assert_consistent([failing, stalling, breaking, fine])
    assert await pipeline.letters([failing, stalling, breaking, fine]) == {}


@pytest.mark.parametrize("retry_after", [None, 1], ids=["without Retry-After", "with Retry-After"])
async def test_503_for_every_replay_pauses_the_stage_and_dead_letters_nothing(pipeline: Pipeline, retry_after: int | None) -> None:
    fault = await pipeline.fault("error", status=503, command="replay", **({} if retry_after is None else {"retry_after": retry_after}))
    call_ids = await pipeline.spoken(4)
    await pipeline.until_status(call_ids, "PENDING_DOWNLOAD")
    await pipeline.until_unready("recorder")
    assert await pipeline.letters(call_ids) == {}
    await pipeline.mend(fault)
    await pipeline.until_status(call_ids, "SCORED")
    await pipeline.until_ready()
    assert await pipeline.letters(call_ids) == {}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("broken_xml", "is not well-formed XML"), ("dtd_bomb", "has a document type or entities, which are refused")],
)
async def test_a_search_result_that_cannot_be_read_is_told_and_loses_nothing(pipeline: Pipeline, kind: str, reason: str) -> None:
    await pipeline.fault(kind, times=2)
    call_ids = await pipeline.spoken(2)
    await pipeline.until_status(call_ids, "SCORED")
    assert await pipeline.faults_left() == 0
    assert f"the search result {reason}" in pipeline.worker.log.read_text()


async def test_a_search_that_is_refused_or_hangs_loses_nothing(pipeline: Pipeline) -> None:
    await pipeline.fault("error", status=401, command="search", times=1)
    await pipeline.fault("error", status=500, command="search", times=1)
    await pipeline.fault("latency", seconds=4, command="search", times=1)
    call_ids = await pipeline.spoken(2)
    await pipeline.until_status(call_ids, "SCORED")
    await pipeline.until_ready()


async def test_a_recording_that_breaks_off_for_ever_is_dead_lettered_and_scored_once_the_fault_is_gone(pipeline: Pipeline) -> None:
    broken, fine = await pipeline.spoken(2, hang_up="never")
    fault = await pipeline.fault("break", inum=broken, after_bytes=5000)
    await pipeline.hang_up(broken, fine)
    letter = (await pipeline.until_letters(f"{topics.CALLS_ENRICHED}.dlq", [broken.encode()]))[broken.encode()]
    (source, *_) = await pipeline.read(topics.CALLS_ENRICHED, [broken])
    assert (letter.value, letter.key) == (source.value, source.key)
    assert (header(letter, "topic"), header(letter, "stage"), header(letter, "retries")) == (topics.CALLS_ENRICHED, "download", "2")
    assert reason_of(letter) == "recorder: the connection broke off (ClientPayloadError) (after 3 attempts)"
    told = await pipeline.rows("SELECT status, detail FROM call_event WHERE call_id = $1 AND what = 'errored'", broken)
    assert [(row["status"], row["detail"]) for row in told][:1] == [("ERROR", reason_of(letter))]
    await pipeline.mend(fault)
    await pipeline.until_status([broken], "ERROR")
    await pipeline.errors_are_due(broken)
    await pipeline.until_status([broken, fine], "SCORED")
    await pipeline.until_settled([broken, fine])
    await pipeline.assert_consistent([broken, fine])
    assert await pipeline.row("SELECT redrives FROM call WHERE call_id = $1", broken) == {"redrives": 1}


async def test_a_call_that_fails_again_and_again_stays_in_error_with_its_reason_when_its_attempts_are_used_up(pipeline: Pipeline) -> None:
    (hopeless,) = await pipeline.spoken(1, hang_up="never")
    await pipeline.fault("error", status=500, inum=hopeless)
    await pipeline.hang_up(hopeless)

    await pipeline.until_status([hopeless], "ERROR")
    await pipeline.errors_are_due(hopeless)

    async def given_up() -> bool:
        row = await pipeline.row("SELECT status, status_reason, redrives, next_attempt_at FROM call WHERE call_id = $1", hopeless)
        return tuple(row.values()) == ("ERROR", "recorder: it answered 500 (after 3 attempts)", 1, None)

    await pipeline.until("given up after its re-drive", given_up)
    letters = (await pipeline.letters([hopeless]))[f"{topics.CALLS_ENRICHED}.dlq"]
    assert len(letters) == 2
    assert len({header(letter, "fingerprint") for letter in letters}) == 1
    assert len({letter.value for letter in letters}) == 1


async def test_duplicated_late_and_skewed_records_are_one_call_each(pipeline: Pipeline) -> None:
    duplicate = await pipeline.fault("duplicate")
    twice = await pipeline.spoken(2)
    late = await pipeline.spoken(2, late_seconds=6)
    await pipeline.until_settled([*twice, *late])
    await pipeline.mend(duplicate)
    for topic in (topics.CALLS_RAW, topics.CALLS_ENRICHED, topics.AUDIO_READY, topics.SCORING_RESULTS):
        assert sorted(record.key.decode() for record in await pipeline.read(topic, [*twice, *late])) == sorted([*twice, *late])
    await pipeline.assert_consistent([*twice, *late])
