"""Recordings as they come out of the recorder."""

import hashlib
import io
from typing import Any

import av
import pytest
from aiohttp import hdrs

from tests.unit.devstack.recorder.conftest import Simulator

CODECS = {
    "stereo": ("pcm_s16le", 2),
    "mono": ("pcm_s16le", 1),
    "pcm8": ("pcm_u8", 2),
    "mulaw": ("pcm_mulaw", 2),
    "alaw": ("pcm_alaw", 2),
    "gsm": ("gsm_ms", 1),
    "mp3": ("mp3float", 2),
    "opus": ("opus", 2),
}


def decoded(content: bytes) -> tuple[str, int, float]:
    """Codec, channels, seconds: by decoding to the end."""
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return stream.codec_context.name, stream.codec_context.channels, samples / stream.codec_context.sample_rate


@pytest.mark.parametrize("kind", CODECS)
async def test_each_format_decodes_to_the_length_that_was_told(simulator: Simulator, kind: str) -> None:
    (call,) = await simulator.add(kind=kind, dialogue="praise_short", variant=0)

    status, content = await simulator.replay(call["inum"])

    assert status == 200
    assert (len(content), hashlib.sha256(content).hexdigest()) == (call["size"], call["sha256"])
    codec, channels, seconds = decoded(content)
    assert (codec, channels) == CODECS[kind]
    assert seconds == pytest.approx(call["seconds"], abs=0.15)


async def test_the_length_and_the_type_of_a_recording_are_told(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="mp3", dialogue="praise_short", variant=0)

    async with simulator.session.get("/searchapi", params={"command": "replay", "id": call["inum"]}) as answer:
        assert answer.headers[hdrs.CONTENT_TYPE] == "audio/mpeg"
        assert int(answer.headers[hdrs.CONTENT_LENGTH]) == call["size"]


async def test_a_two_hour_call_is_streamed_without_being_stored(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="two_hours", dialogue="praise_short", variant=0)
    assert call["size"] == 7200 * 16_000 + 44
    stored = simulator.recorder.calls.get(call["inum"])
    assert stored is not None
    assert stored.recording.path.stat().st_size < 1_000_000

    seen, size = hashlib.sha256(), 0
    async with simulator.session.get("/searchapi", params={"command": "replay", "id": call["inum"]}) as answer:
        async for chunk in answer.content.iter_any():
            seen.update(chunk)
            size += len(chunk)

    assert (size, seen.hexdigest()) == (call["size"], call["sha256"])


async def test_a_tone_of_any_length_costs_a_second_of_it(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="tone", seconds=37)

    _, content = await simulator.replay(call["inum"])

    assert decoded(content) == ("pcm_s16le", 1, 37.0)


async def test_an_empty_file_has_no_bytes(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="empty")

    assert await simulator.replay(call["inum"]) == (200, b"")


async def test_a_truncated_file_promises_more_than_it_has(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="truncated", dialogue="praise_short", variant=0)

    _, content = await simulator.replay(call["inum"])

    promised = int.from_bytes(content[40:44], "little")
    assert promised == pytest.approx(call["seconds"] * 32_000, abs=400)
    assert len(content) - 44 < promised / 2


async def test_a_text_named_wav_is_text(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="text")

    _, content = await simulator.replay(call["inum"])

    assert content.startswith(b"This is not a recording.")


def levels(content: bytes) -> list[float]:
    """The loudest sample of each channel, 0 to 1."""
    with av.open(io.BytesIO(content), "r") as container:
        resampler = av.AudioResampler(format="s16p")
        loudest: list[float] = []
        for frame in container.decode(audio=0):
            for planar in resampler.resample(frame):
                peaks = [float(abs(channel.astype(int)).max()) / 32768 for channel in planar.to_ndarray()]
                loudest = [max(pair) for pair in zip(loudest or peaks, peaks, strict=True)]
    return loudest


@pytest.mark.parametrize(
    ("kind", "speaks"),
    [("stereo", [True, True]), ("one_sided", [True, False]), ("silent", [False, False]), ("noise", [True, True]), ("hold_music", [True])],
)
async def test_the_agent_is_left_and_the_customer_right(simulator: Simulator, kind: str, speaks: list[bool]) -> None:
    wanted: dict[str, Any] = {"dialogue": "praise_short", "variant": 0} if kind in {"stereo", "one_sided"} else {}
    (call,) = await simulator.add(kind=kind, **wanted)

    _, content = await simulator.replay(call["inum"])

    assert [level > 0.1 for level in levels(content)] == speaks


async def test_the_words_and_their_times_are_known(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="stereo", dialogue="praise_short", variant=0)

    turns = call["turns"]

    assert [turn["speaker"] for turn in turns] == ["agent", "customer", "agent", "customer", "agent"]
    assert "this is Jordan Miller. The new app is great." in turns[1]["text"]
    assert all(turn["start"] < turn["end"] <= call["seconds"] for turn in turns)


async def test_there_is_no_recording_before_the_hang_up(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="tone", seconds=5, hang_up=20)
    assert (await simulator.replay(call["inum"]))[0] == 404

    simulator.clock.advance(20)

    assert (await simulator.replay(call["inum"]))[0] == 200


async def test_an_unknown_recording_is_404_and_none_at_all_is_400(simulator: Simulator) -> None:
    assert (await simulator.replay("123"))[0] == 404
    assert (await simulator.replay(""))[0] == 400


async def test_delete_destroys_and_is_counted(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="tone", seconds=5)
    assert (await simulator.told("stats"))["requests"]["delete"] == {}

    for status in (200, 404):
        async with simulator.session.get("/searchapi", params={"command": "delete", "id": call["inum"]}) as answer:
            assert answer.status == status

    assert (await simulator.replay(call["inum"]))[0] == 404
    assert call["inum"] not in await simulator.search()
    assert (await simulator.told("stats"))["requests"]["delete"] == {"200": 1, "404": 1}
