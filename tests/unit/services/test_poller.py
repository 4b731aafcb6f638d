"""Polling the recorder: what is published, and when the checkpoint moves (spec section 2.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.call_store import FakeCallStore
from tests.fakes.otlp import otlp_receiver
from tests.fakes.recorder import FakeRecorder
from tests.unit.services.made import VAULT, FakePublisher, settings
from voc_stream.errors import OutageError, OutsideError, TimedOutError, TransientError
from voc_stream.events.base import Decoder
from voc_stream.events.calls import RawCall
from voc_stream.security.vault import on_the_wire
from voc_stream.services.poller import SWEEP, WINDOW, Poller, timing_of
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.stages.outside import BadRecord, Segment
from voc_stream.topics import MAX_MESSAGE_BYTES
from voc_stream.tracing.headers import traceparent_of
from voc_stream.tracing.tracing import Tracing

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLLED = "calls.polled"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def segment(inum: str, started: float, seconds: float | None = 10, udfs: str = "") -> Segment:
    ended_at = None if seconds is None else ago(started - seconds)
    return Segment(inum=inum, started_at=ago(started), ended_at=ended_at, service="acme-support", udfs=udfs)


class Scene:
    """A poller, and what is around it."""

    def __init__(self, *, result_cap: int = 1000, recorder_id: str = "", tenants: TenantsFile | None = None) -> None:
        self.recorder = FakeRecorder(result_cap=result_cap)
        self.store = FakeCallStore()
        self.publisher = FakePublisher()
        self.now = NOW
        self.tenants = tenants or TenantsFile(None)
        self.settings = settings(avaya_recorder_id=recorder_id, avaya_window_seconds=60)
        self.poller = self.make()

    def make(self, **options: Any) -> Poller:
        return Poller(
            recorder=self.recorder,
            checkpoints=self.store,
            publisher=self.publisher,
            vault=VAULT,
            tenants=self.tenants,
            settings=self.settings,
            topic=POLLED,
            now=lambda: self.now,
            **options,
        )


def test_the_pace_is_the_settings() -> None:
    timing = timing_of(settings(avaya_window_seconds=61, avaya_guard_seconds=31, avaya_sweep_seconds=62, avaya_max_call_seconds=63))

    assert (timing.window, timing.guard, timing.sweep, timing.longest_call, timing.largest_window) == (61, 31, 62, 63, 3600)


@pytest.mark.parametrize(("took", "fails", "pause"), [(0.5, False, 30.0), (20.0, False, 80.0), (60.0, True, 30.0)])
async def test_a_recorder_that_is_slow_to_answer_is_asked_more_rarely(took: float, fails: bool, pause: float) -> None:  # noqa: FBT001 - a parameter
    scene = Scene()
    clock = iter([0.0, took, took, took + 1000.0])
    scene.poller = scene.make(clock=lambda: next(clock))
    if fails:
        scene.recorder.fail_next("search", TimedOutError("recorder", "no answer within the time-out"))
        with pytest.raises(TimedOutError):
            await scene.poller.poll()
    else:
        await scene.poller.poll()

    assert scene.poller.poll_pause() == pause
    assert scene.poller.poll_pause() == 30.0, "one slow search slows once"
    assert scene.poller.sweep_pause() == 60.0, "the sweep's searches are longer, and counted apart"


async def test_calls_of_the_window_are_published_by_call_and_then_the_checkpoint_moves() -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60))
    scene.recorder.add(segment("2", started=10))

    assert await scene.poller.poll() == 1
    assert scene.publisher.keys(POLLED) == ["1"]
    assert scene.store.checkpoints == {WINDOW: (ago(90), ago(30))}


async def test_by_default_a_call_of_four_minutes_is_found_by_the_poll_after_its_end() -> None:
    scene = Scene()
    scene.settings = settings()
    scene.poller = scene.make()
    scene.recorder.add(segment("1", started=241, seconds=240))

    assert await scene.poller.poll() == 1


@pytest.mark.parametrize("error", [OutageError("kafka", "no broker")])
async def test_the_checkpoint_does_not_move_before_the_acknowledgement(error: OutsideError) -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60))
    scene.publisher.faults.append(error)
    with pytest.raises(OutageError):
        await scene.poller.poll()
    assert scene.store.checkpoints == {}

    scene.now = NOW + timedelta(hours=1)
    assert await scene.poller.poll() == 0, "without a checkpoint the window slides on"
    assert await scene.poller.sweep() == 1, "and the sweep finds it"


async def test_a_search_that_fails_leaves_the_checkpoint_and_the_gap_is_polled_later() -> None:
    scene = Scene()
    await scene.poller.poll()
    scene.recorder.add(segment("1", started=-60))
    scene.now = NOW + timedelta(seconds=150)
    scene.recorder.fail_next("search", TransientError("recorder", "it answered 500"))
    with pytest.raises(TransientError):
        await scene.poller.poll()
    scene.now = NOW + timedelta(hours=3)

    assert await scene.poller.poll() == 1
    assert scene.recorder.searched[-4:][0][0] == ago(30)
    assert scene.store.checkpoints[WINDOW][1] == scene.now - timedelta(seconds=30)


async def test_after_an_outage_half_way_only_the_rest_is_polled_again() -> None:
    scene = Scene()
    await scene.poller.poll()
    scene.now = NOW + timedelta(hours=3)
    scene.recorder.fail_next("search")
    search, searched = scene.recorder.search, 0

    async def second_fails(start: datetime, end: datetime) -> object:
        nonlocal searched
        searched += 1
        if searched == 2:
            raise TransientError("recorder", "it answered 500")
        return await search(start, end)

    scene.recorder.search = second_fails  # type: ignore[method-assign,assignment]
    with pytest.raises(TransientError):
        await scene.poller.poll()

    assert scene.store.checkpoints[WINDOW] == (ago(30), ago(30) + timedelta(hours=1))


async def test_a_segment_without_an_end_is_left_for_the_sweep_which_finds_it_once_it_has_one() -> None:
    scene = Scene()
    scene.recorder.add(segment("long", started=60, seconds=None))
    assert await scene.poller.poll() == 0
    assert await scene.poller.sweep() == 0
    scene.now = NOW + timedelta(hours=1)
    scene.recorder.add(segment("long", started=60, seconds=3500))

    assert await scene.poller.poll() == 0
    assert await scene.poller.sweep() == 1
    assert scene.publisher.keys(POLLED) == ["long"]
    assert scene.store.checkpoints[SWEEP][1] == scene.now


async def test_what_this_process_published_is_not_sent_again_but_another_leader_sends_the_same_bytes() -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60))
    await scene.poller.poll()
    assert await scene.poller.sweep() == 0
    assert await scene.make().sweep() == 1

    one, two = scene.publisher.published
    assert one == two


async def test_what_was_not_acknowledged_is_sent_again() -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60))
    scene.publisher.faults.append(OutageError("kafka", "no broker"))
    with pytest.raises(OutageError):
        await scene.poller.poll()

    assert await scene.poller.poll() == 1


async def test_a_result_as_long_as_the_cap_splits_its_window_until_all_are_found() -> None:
    scene = Scene(result_cap=3)
    for number in range(40):
        scene.recorder.add(segment(f"{number}", started=31 + number))

    assert await scene.poller.poll() == 40
    assert sorted(scene.publisher.keys(POLLED), key=int) == [str(number) for number in range(40)]


async def test_calls_of_neighbouring_seconds_are_told_apart_even_at_the_smallest_cap() -> None:
    scene = Scene(result_cap=2)
    scene.now = NOW + timedelta(milliseconds=700)
    for number in range(10):
        scene.recorder.add(segment(f"{number}", started=40 + number))

    assert await scene.poller.poll() == 10


async def test_more_calls_in_one_second_than_the_cap_is_said_and_does_not_stop_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("voc_stream.services.poller.logger.error", lambda event, **_: said.append(event))
    scene = Scene(result_cap=2)
    for number in range(5):
        scene.recorder.add(segment(f"{number}", started=60))
    scene.recorder.add(segment("later", started=50))

    assert await scene.poller.poll() == 3
    assert "later" in scene.publisher.keys(POLLED)
    assert said == ["more calls start in one second than the recorder tells of: some are missing"]


async def test_customer_data_is_sealed_before_it_is_published_and_in_no_byte_in_the_clear() -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60, udfs="name=Grace Hopper;card=4111111111111111"))
    await scene.poller.poll()
    (record,) = scene.publisher.published

    assert b"Hopper" not in repr(record).encode()
    assert b"4111" not in repr(record).encode()
    call = Decoder(RawCall)(record.value)
    assert isinstance(call, RawCall)
    assert VAULT.open(call.sealed_udfs, bound_to=on_the_wire("1")) == "name=Grace Hopper;card=4111111111111111"


async def test_a_segment_without_customer_data_needs_no_seal() -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60))
    await scene.poller.poll()
    call = Decoder(RawCall)(scene.publisher.published[0].value)

    assert isinstance(call, RawCall)
    assert call.sealed_udfs == ""


async def test_with_several_recorders_the_call_id_says_which() -> None:
    scene = Scene(recorder_id="r2")
    scene.recorder.add(segment("1", started=60))
    await scene.poller.poll()

    assert scene.publisher.keys(POLLED) == ["r2-1"]


async def test_what_cannot_be_read_is_dead_lettered_once_and_its_neighbours_pass() -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60))
    scene.recorder.rejects = [BadRecord(inum="7", reason="its start is not a time", xml=b"<result inum='7'/>")]
    await scene.poller.poll()
    await scene.poller.sweep()
    await scene.poller.poll()
    (letter,) = [record for record in scene.publisher.published if record.topic == "calls.polled.dlq"]

    assert scene.publisher.keys(POLLED) == ["1"]
    assert (letter.key, letter.value) == (b"7", b"<result inum='7'/>")
    headers = dict(letter.headers)
    assert headers["voc-dlq-reason"] == b"its start is not a time"
    assert {"voc-dlq-error-type", "voc-dlq-stage", "voc-dlq-topic", "voc-dlq-first-failure", "voc-dlq-last-failure", "voc-dlq-fingerprint"} <= set(
        headers
    )


async def test_a_dead_letter_that_is_not_acknowledged_holds_the_checkpoint() -> None:
    scene = Scene()
    scene.recorder.rejects = [BadRecord(inum="7", reason="its start is not a time", xml=b"<result/>")]
    scene.publisher.faults.append(OutageError("kafka", "no broker"))
    with pytest.raises(OutageError):
        await scene.poller.poll()

    assert scene.store.checkpoints == {}
    await scene.poller.poll()
    assert scene.publisher.keys("calls.polled.dlq") == ["7"]


async def test_what_is_far_too_long_is_cut_and_does_not_stop_polling() -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60, udfs="漢" * 2_000_000))
    scene.recorder.rejects = [BadRecord(inum="7", reason="its start is not a time", xml=b"<result>" + b"x" * 3_000_000)]
    await scene.poller.poll()

    assert len(scene.publisher.published) == 2
    assert all(len(record.value or b"") < MAX_MESSAGE_BYTES for record in scene.publisher.published)


async def test_memory_of_what_was_published_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voc_stream.services.poller.MOST_REMEMBERED", 3)
    scene = Scene()
    for number in range(10):
        scene.recorder.add(segment(f"{number}", started=60))
    await scene.poller.poll()

    assert len(scene.poller._published) == 3


async def test_a_call_s_trace_begins_with_the_search_that_found_it_and_goes_with_its_record() -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60))
    with otlp_receiver() as receiver:
        tracing = Tracing(settings(tracing_endpoint=receiver.url, tracing_ratio=1.0))
        await tracing.open()
        await scene.make(tracing=tracing).poll()
        await tracing.close()
        (span,) = receiver.spans
    (record,) = scene.publisher.published
    assert traceparent_of(record.headers) == f"00-{span.trace_id}-{span.span_id}-01".encode()
    assert (span.name, span.parent_id, span.attributes["voc.call_id"]) == ("poll", "", "1")
    assert int(span.trace_id, 16) == tracing.trace_id_of("1")


async def test_without_tracing_records_have_no_headers() -> None:
    scene = Scene()
    scene.recorder.add(segment("1", started=60))
    await scene.poller.poll()
    assert [record.headers for record in scene.publisher.published] == [()]
