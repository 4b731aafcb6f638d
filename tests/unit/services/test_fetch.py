"""One recording: known already, copied, not there yet, or failed (spec section 2.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.calls import NOW, downloaded, enriched, enriched_call, parked
from tests.fakes.call_store import FakeCallStore
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.privacy import FakePrivacy
from tests.unit.services.made import facts, limit, settings
from voc_stream.clients.call_privacy import Standing
from voc_stream.errors import NotThereYetError, OutageError, OutsideError, TransientError
from voc_stream.events.calls import AudioReady, EnrichedCall
from voc_stream.services.fetch import Fetcher
from voc_stream.stages.changes import Downloaded, Missing, Parked
from voc_stream.stages.outcome import DeadLetter, Drop, Ok, Retry
from voc_stream.stages.outside import AudioFacts, Copied

PCM = AudioFacts(codec="pcm_s16le", duration=90.25, sample_rate=8000, channels=2)
CALL = "700000000000001"


class FakeRecordings:
    """Copies of recordings; `error` is raised instead, `hold` keeps each copy waiting once the recorder has sent everything."""

    def __init__(self) -> None:
        self.copied: list[str] = []
        self.error: OutsideError | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self.storing = asyncio.Event()
        self.storing.set()
        self.facts: AudioFacts | None = PCM

    async def copy(self, call: EnrichedCall, inum: str, on_read: Callable[[], None], on_answer: Callable[[], None]) -> Copied:
        self.copied.append(inum)
        await self.reading.wait()
        if self.error is not None:
            raise self.error
        on_answer()
        on_read()
        await self.storing.wait()
        return Copied(key=f"raw/{call.call_id}.wav", sha256="a" * 64, size=5, facts=self.facts, problem=None if self.facts else "it is text")


class Scene:
    def __init__(self, **values: object) -> None:
        self.store, self.recordings = FakeCallStore(), FakeRecordings()
        given = settings(**values)
        self.limit = limit("recorder", given.download_in_flight)
        self.privacy, self.objects = FakePrivacy(), FakeObjectStore()
        self.fetcher = Fetcher(
            store=self.store,  # type: ignore[arg-type]
            recordings=self.recordings,
            privacy=self.privacy,  # type: ignore[arg-type]
            objects=self.objects,  # type: ignore[arg-type]
            places=self.limit,
            settings=given,
            topic="out",
        )


async def test_a_recording_is_copied_and_becomes_audio_ready() -> None:
    scene = Scene()
    outcome = await scene.fetcher.fetch(enriched_call(), facts())

    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Downloaded)
    assert scene.recordings.copied == [CALL]


async def test_the_recorder_is_asked_for_its_own_inum() -> None:
    scene = Scene(avaya_recorder_id="r2")
    await scene.fetcher.fetch(enriched_call("r2-7"), facts())

    assert scene.recordings.copied == ["7"]


async def test_what_is_in_s3_already_is_not_copied_again_and_still_published() -> None:
    scene = Scene()
    await scene.store.apply([enriched(), downloaded()])
    outcome = await scene.fetcher.fetch(enriched_call(tenant_id="globex"), facts())

    assert scene.recordings.copied == []
    assert isinstance(outcome, Ok)
    value = outcome.out[0].value
    assert isinstance(value, AudioReady)
    assert value.tenant_id == "globex"


async def test_a_recording_that_is_not_there_is_parked_until_a_day_after_the_first_miss() -> None:
    scene = Scene()
    scene.recordings.error = NotThereYetError("recorder", "the recording is not there")
    await scene.store.apply([enriched()])
    first = await scene.fetcher.fetch(enriched_call(), facts())
    assert isinstance(first, Ok)
    assert isinstance(first.change, Parked)

    await scene.store.apply([parked(CALL, NOW)])
    last = await scene.fetcher.fetch(enriched_call(), facts(now=NOW + timedelta(days=1)))
    assert isinstance(last, Ok)
    assert isinstance(last.change, Missing)


async def test_what_is_not_audio_is_a_dead_letter() -> None:
    scene = Scene()
    scene.recordings.facts = None

    assert isinstance(await scene.fetcher.fetch(enriched_call(), facts()), DeadLetter)


@pytest.mark.parametrize("error", [OutageError("recorder", "connection refused"), TransientError("recorder", "the stream broke off")])
async def test_a_fault_of_the_outside_is_the_runtime_s_to_handle_and_frees_its_place(error: OutsideError) -> None:
    scene = Scene(download_in_flight=1)
    scene.recordings.error = error
    for _ in range(3):
        with pytest.raises(type(error)):
            await scene.fetcher.fetch(enriched_call(), facts())


async def test_no_more_recordings_are_read_at_a_time_than_the_setting_says() -> None:
    scene = Scene(download_in_flight=2)
    scene.recordings.reading.clear()
    fetching = [asyncio.create_task(scene.fetcher.fetch(enriched_call(str(number)), facts())) for number in range(5)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(scene.recordings.copied) == 2
    scene.recordings.reading.set()
    await asyncio.gather(*fetching)

    assert len(scene.recordings.copied) == 5


async def test_a_place_is_free_again_once_the_recorder_has_sent_everything() -> None:
    scene = Scene(download_in_flight=1)
    scene.recordings.storing.clear()
    fetching = [asyncio.create_task(scene.fetcher.fetch(enriched_call(str(number)), facts())) for number in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(scene.recordings.copied) == 3
    scene.recordings.storing.set()
    await asyncio.gather(*fetching)


async def test_abandoned_work_frees_its_place() -> None:
    scene = Scene(download_in_flight=1)
    scene.recordings.reading.clear()
    abandoned = [asyncio.create_task(scene.fetcher.fetch(enriched_call(str(number)), facts())) for number in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    for task in abandoned:
        task.cancel()
    await asyncio.gather(*abandoned, return_exceptions=True)
    scene.recordings.reading.set()

    assert isinstance(await scene.fetcher.fetch(enriched_call(), facts()), Ok)


def test_attempts_are_the_setting_s() -> None:
    fetcher = Scene(download_attempts=2).fetcher
    error = TransientError("recorder", "the stream broke off")
    verdicts = [fetcher.failed(enriched_call(), error, facts(attempt=attempt), 0.0) for attempt in (1, 2)]

    assert [type(verdict) for verdict in verdicts] == [Retry, DeadLetter]


async def test_the_recording_of_a_forgotten_call_is_not_fetched() -> None:
    scene = Scene()
    scene.privacy.known[enriched_call().call_id] = Standing(forgotten=True)
    assert await scene.fetcher.fetch(enriched_call(), facts()) == Drop("forgotten")
    assert scene.recordings.copied == []
