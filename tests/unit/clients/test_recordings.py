"""A recording's way from the recorder into S3."""

from __future__ import annotations

import hashlib
import struct

import pytest

from tests.calls import ENDED, STARTED, enriched_call
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.recorder import FakeRecorder
from voc_stream.clients.recordings import Recordings
from voc_stream.errors import NotThereYetError, TransientError
from voc_stream.stages.outside import AudioFacts, Copied, Segment

INUM = "700000000000001"
KEY = f"raw/2026/11/22/{INUM}.wav"
FMT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)
WAV = b"RIFF\0\0\0\0WAVE" + FMT + b"data" + struct.pack("<I", 160_000) + bytes(160_000)


@pytest.fixture
def recorder() -> FakeRecorder:
    made = FakeRecorder()
    made.add(Segment(inum=INUM, started_at=STARTED, ended_at=ENDED), WAV)
    return made


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def recordings(recorder: FakeRecorder, store: FakeObjectStore) -> Recordings:
    return Recordings(recorder, store)


async def test_a_recording_is_copied_hashed_and_probed_in_one_pass(recordings: Recordings, recorder: FakeRecorder, store: FakeObjectStore) -> None:
    sha256 = hashlib.sha256(WAV).hexdigest()
    facts = AudioFacts(codec="pcm_s16le", duration=10.0, sample_rate=8000, channels=1)
    assert await recordings.copy(enriched_call(INUM), INUM) == Copied(key=KEY, sha256=sha256, size=len(WAV), facts=facts, problem=None)
    stored = store.objects[KEY]
    assert stored.data == WAV
    assert stored.content_type == "audio/wav"
    assert stored.metadata == {"codec": "pcm_s16le", "duration": "10.000"}
    assert stored.tags == {"call_id": INUM, "agent_id": "agent1234", "date": "2026-11-22", "sha256": sha256}
    assert recorder.replayed == [INUM]


async def test_the_recorder_is_asked_by_inum_and_the_object_named_by_call_id(recorder: FakeRecorder, store: FakeObjectStore) -> None:
    recorder.audio["5"] = WAV
    copied = await Recordings(recorder, store).copy(enriched_call("north-5"), "5")
    assert copied.key == "raw/2026/11/22/north-5.wav"


async def test_what_is_not_audio_is_kept_with_the_reason(recordings: Recordings, recorder: FakeRecorder, store: FakeObjectStore) -> None:
    recorder.audio[INUM] = b"a text that was named .wav" * 10_000
    copied = await recordings.copy(enriched_call(INUM), INUM)
    assert copied.facts is None
    assert copied.problem == "it is not audio: it is neither WAV, MP3, Ogg nor FLAC"
    assert store.objects[KEY].data == recorder.audio[INUM]
    assert store.objects[KEY].metadata == {}


async def test_an_empty_recording_is_copied(recordings: Recordings, recorder: FakeRecorder, store: FakeObjectStore) -> None:
    recorder.audio[INUM] = b""
    copied = await recordings.copy(enriched_call(INUM), INUM)
    assert copied.facts == AudioFacts(codec="", duration=0.0, sample_rate=0, channels=0)
    assert store.objects[KEY].data == b""


async def test_a_recording_that_breaks_off_is_not_stored_and_passes_next_time(
    recordings: Recordings, recorder: FakeRecorder, store: FakeObjectStore
) -> None:
    recorder.break_next(INUM, 70_000)
    with pytest.raises(TransientError):
        await recordings.copy(enriched_call(INUM), INUM)
    assert store.objects == {}
    assert (await recordings.copy(enriched_call(INUM), INUM)).size == len(WAV)


async def test_a_recording_that_is_not_there_is_told_as_such(recordings: Recordings, store: FakeObjectStore) -> None:
    with pytest.raises(NotThereYetError):
        await recordings.copy(enriched_call("9"), "9")
    assert store.objects == {}


async def test_a_fault_of_the_store_is_raised(recordings: Recordings, store: FakeObjectStore) -> None:
    store.fail_next("put_stream", TransientError("s3", "it answered 503 SlowDown"))
    with pytest.raises(TransientError, match="SlowDown"):
        await recordings.copy(enriched_call(INUM), INUM)
