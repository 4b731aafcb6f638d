"""A folder of recordings, replayed."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.unit.devstack.recorder.conftest import Simulator
from voc_stream.devstack.recorder import folder
from voc_stream.devstack.recorder.arrivals import Arrivals
from voc_stream.devstack.recorder.plan import Planner


def tone(path: Path, hertz: int, seconds: float, rate: int = 8000, subtype: str = "PCM_16") -> None:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    soundfile.write(path, wave, rate, subtype=subtype)


def test_two_sides_are_one_call_and_other_files_are_calls_by_themselves(tmp_path: Path) -> None:
    for name in ("a_agent.wav", "a_caller.wav", "b.wav", "c_agent.wav", "notes.txt", "D.MP3"):
        (tmp_path / name).touch()

    found = folder.find(tmp_path)

    assert [each.name for each in found] == ["D.MP3", "a", "b.wav", "c_agent.wav"]
    assert found[1].caller == tmp_path / "a_caller.wav"


def test_the_agent_goes_left_and_the_caller_right_even_at_another_rate(tmp_path: Path) -> None:
    tone(tmp_path / "x_agent.wav", 440, 2.0)
    tone(tmp_path / "x_caller.wav", 880, 3.0, rate=16_000)

    recording, expected = folder.open_call(folder.find(tmp_path)[0], tmp_path / "made")

    samples, rate = soundfile.read(recording.path)
    loudest = [int(np.abs(np.fft.rfft(samples[:rate, channel])).argmax()) for channel in (0, 1)]
    assert (rate, samples.shape[1], expected) == (8000, 2, "any")
    assert loudest == [440, 880]
    assert recording.seconds == pytest.approx(3.0, abs=0.01)
    assert np.abs(samples[2 * rate + 100 :, 0]).max() == 0


def test_sides_are_put_together_once(tmp_path: Path) -> None:
    tone(tmp_path / "x_agent.wav", 440, 1.0)
    tone(tmp_path / "x_caller.wav", 880, 1.0)
    (found,) = folder.find(tmp_path)

    first, _ = folder.open_call(found, tmp_path / "made")
    again, _ = folder.open_call(found, tmp_path / "made")

    assert first == again
    assert len(list((tmp_path / "made").iterdir())) == 1


def test_a_single_file_is_handed_out_as_it_is(tmp_path: Path) -> None:
    tone(tmp_path / "mono.wav", 440, 1.5, subtype="PCM_U8")

    recording, expected = folder.open_call(folder.find(tmp_path)[0], tmp_path / "made")

    assert b"".join(recording.chunks()) == (tmp_path / "mono.wav").read_bytes()
    assert (recording.seconds, recording.channels, expected) == (1.5, 1, "any")


def test_a_file_that_is_no_audio_is_expected_to_be_dead_lettered_and_an_empty_one_not_to_be_scored(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("hello " * 100)

    outcomes = [folder.open_call(each, tmp_path / "made")[1] for each in folder.find(tmp_path)]

    assert outcomes == ["not_scorable:empty", "dead_letter"]


async def test_the_folder_comes_round_again_when_more_calls_are_wanted(simulator: Simulator, tmp_path: Path) -> None:
    tone(tmp_path / "a.wav", 440, 1.0)
    tone(tmp_path / "b.wav", 440, 2.0)
    planner = Planner(0)
    opened = itertools.cycle(folder.open_call(each, tmp_path) for each in folder.find(tmp_path))
    calls = itertools.islice((planner.replay_of(*each) for each in opened), 5)

    await Arrivals(simulator.recorder, calls, per_minute=6000, planned=5).run()

    told = await simulator.told("calls")
    assert [(call["kind"], call["seconds"]) for call in told["calls"]] == [("file", seconds) for seconds in (1.0, 2.0, 1.0, 2.0, 1.0)]
    assert (await simulator.replay(told["calls"][0]["inum"]))[1] == (tmp_path / "a.wav").read_bytes()
