from __future__ import annotations

import io
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.unit.scoring.dialogues import REPAIR, words_of
from tests.unit.scoring.sounds import RATE, Mono, dialogue, noise, riff, say, silence, tone, wav, word_error_rate
from voc_stream.scoring.engine import Engine
from voc_stream.scoring.errors import NotAudioError, TooLargeError
from voc_stream.scoring.jobs import AbandonedError
from voc_stream.scoring.wire import CallMetadata, ScoreOut

RECORDINGS = Path("../shared/data/audio")


def score(engine: Engine, audio: bytes, expected_seconds: float | None = None) -> ScoreOut:
    return engine.score(io.BytesIO(audio), CallMetadata(call_id="c1", tenant_id="acme", expected_seconds=expected_seconds))


def spoken(out: ScoreOut, *speakers: str) -> str:
    assert out.transcript
    return " ".join(turn.text for turn in out.transcript.turns if turn.speaker in speakers)


@pytest.fixture(scope="module")
def repair(engine: Engine) -> ScoreOut:
    return score(engine, wav(dialogue(REPAIR)))


class TestADialogueOnTwoChannels:
    def test_most_words_of_each_speaker_are_there(self, repair: ScoreOut) -> None:
        assert word_error_rate(words_of("agent"), spoken(repair, "agent")) < 0.35
        assert word_error_rate(words_of("customer"), spoken(repair, "customer")) < 0.35

    def test_turns_alternate_in_order_of_time_and_within_the_call(self, repair: ScoreOut) -> None:
        assert repair.transcript
        turns = repair.transcript.turns
        assert [turn.start for turn in turns] == sorted(turn.start for turn in turns)
        assert all(0 <= turn.start <= turn.end <= repair.audio.duration for turn in turns)
        assert abs(len(turns) - len(REPAIR)) <= 2

    def test_a_turn_is_where_it_was_said(self, repair: ScoreOut) -> None:
        assert repair.transcript
        last = next(turn for turn in reversed(repair.transcript.turns) if "bye" in turn.text.lower())
        said_from = repair.audio.duration - len(say(REPAIR[-1][1])) / RATE - 0.7
        assert last.end > said_from
        assert last.end == pytest.approx(repair.audio.duration - 0.7, abs=1.5)

    def test_the_rubric_is_judged_with_evidence(self, repair: ScoreOut) -> None:
        assert repair.outcome == "SCORED"
        items = {item.item: item for item in repair.breakdown}
        assert all(item.applicable for item in items.values())
        assert items["greeting"].points == items["greeting"].max_points
        assert items["compliance"].points == items["compliance"].max_points
        assert "recorded" in items["compliance"].evidence[0].quote
        assert items["compliance"].evidence[0].start < 8

    def test_the_score_is_what_the_breakdown_sums_to(self, repair: ScoreOut) -> None:
        assert repair.score == pytest.approx(sum(item.points for item in repair.breakdown), abs=0.01)
        assert repair.model_version == "rubric-1+whisper-tiny.en"

    def test_the_same_recording_gives_the_same_score(self, engine: Engine, repair: ScoreOut) -> None:
        again = score(engine, wav(dialogue(REPAIR)))
        assert again.model_dump(exclude={"latency_ms"}) == repair.model_dump(exclude={"latency_ms"})


class TestAMixedRecording:
    def test_items_that_need_a_speaker_are_not_applicable(self, engine: Engine) -> None:
        out = score(engine, wav(dialogue(REPAIR[:4]).sum(axis=0)))
        assert {item.item for item in out.breakdown if item.applicable} == {"dead_air", "compliance"}
        assert out.score == 100.0
        assert set(out.audio.talk_seconds) == {"unknown"}
        assert "recorded" in spoken(out, "unknown")

    def test_one_microphone_on_two_channels_is_a_mixed_recording(self, deaf_engine: Engine) -> None:
        mixed = dialogue(REPAIR[:4]).sum(axis=0)
        out = score(deaf_engine, wav(np.stack([mixed, mixed])))
        assert (out.outcome, out.audio.channels, set(out.audio.talk_seconds)) == ("SCORED", 2, {"unknown"})


class TestWithoutSpeechRecognition:
    def test_it_scores_what_audio_alone_can_tell(self, deaf_engine: Engine) -> None:
        out = score(deaf_engine, wav(dialogue(REPAIR)))
        assert out.outcome == "SCORED"
        assert {item.item for item in out.breakdown if item.applicable} == {"talk_share", "dead_air", "interruptions"}
        assert (out.transcript, out.asr_model, out.model_version) == (None, "none", "rubric-1+none")


class TestNotScorable:
    @pytest.mark.parametrize(
        ("reason", "audio"),
        [
            pytest.param("empty", b"", id="no bytes"),
            pytest.param("empty", riff(b""), id="a header without samples"),
            pytest.param("silent", wav(silence(20)), id="digital silence"),
            pytest.param("silent", wav(np.stack([noise(20, 1e-4), silence(20)])), id="a line without a sound"),
            pytest.param("not_speech", wav(noise(20)), id="noise"),
            pytest.param("not_speech", wav(tone(20, 262, 330, 392)), id="hold music"),
            pytest.param("too_short", wav(tone(1.0, 440)), id="one second"),
            pytest.param("truncated", wav(noise(60))[:100_000], id="a file cut off"),
            pytest.param("truncated", riff(noise(20).tobytes(), declared=2_000_000_000, bits=16), id="a huge size in the header"),
        ],
    )
    def test_each_reason_is_told_with_a_sentence(self, deaf_engine: Engine, reason: str, audio: bytes) -> None:
        out = score(deaf_engine, audio)
        assert (out.outcome, out.reason, out.score) == ("NOT_SCORABLE", reason, None)
        assert out.detail
        assert out.detail.endswith(".")
        assert out.breakdown == []

    @pytest.mark.parametrize("quiet", [0, 1])
    def test_speech_on_one_of_two_channels_is_one_sided(self, deaf_engine: Engine, quiet: int) -> None:
        channels = dialogue(REPAIR)
        channels[quiet] = 0
        out = score(deaf_engine, wav(channels))
        assert out.reason == "one_sided"
        assert ("agent", "customer")[quiet] in (out.detail or "")

    def test_a_call_that_lasted_longer_than_its_recording_is_truncated(self, deaf_engine: Engine) -> None:
        audio = wav(dialogue(REPAIR))
        seconds = len(dialogue(REPAIR)[0]) / RATE
        assert score(deaf_engine, audio, expected_seconds=1.5 * seconds).reason == "truncated"
        assert score(deaf_engine, audio, expected_seconds=1.1 * seconds).outcome == "SCORED"

    def test_a_streamed_header_without_a_size_promises_nothing(self, deaf_engine: Engine) -> None:
        pcm = (dialogue(REPAIR[:4]).T * 32767).astype("<i2").tobytes()
        assert score(deaf_engine, riff(pcm, declared=0xFFFFFFFF, channels=2)).outcome == "SCORED"


class TestRefusals:
    def test_a_text_named_wav_is_no_audio(self, deaf_engine: Engine) -> None:
        with pytest.raises(NotAudioError, match="not audio"):
            score(deaf_engine, b"Dear customer, your recording is attached.\n" * 100)

    def test_a_recording_over_the_limit_is_too_long(self, deaf_engine: Engine) -> None:
        with pytest.raises(TooLargeError, match="120 s"):
            score(deaf_engine, wav(silence(125)))

    def test_work_that_nobody_waits_for_ends(self, engine: Engine) -> None:
        def abandoned() -> None:
            raise AbandonedError

        with pytest.raises(AbandonedError):
            engine.score(io.BytesIO(wav(dialogue(REPAIR))), CallMetadata(call_id="c1", tenant_id="acme"), abandoned)


def test_latency_is_measured_with_the_engines_clock(deaf_engine: Engine) -> None:
    assert deaf_engine.clock is time.perf_counter
    assert score(deaf_engine, b"").latency_ms >= 0


@pytest.mark.skipif(not RECORDINGS.exists(), reason="../shared/data/audio is not here")
class TestRealCalls:
    """The first 45 s of each: enough to recognise them, and not the whole suite's time."""

    def test_two_channels_are_recognised(self, engine: Engine) -> None:
        sides = [_first(RECORDINGS / f"repair_call_{side}.wav") for side in ("agent", "caller")]
        out = score(engine, wav(np.stack(sides)))
        assert "thank you for calling" in spoken(out, "agent").lower()
        assert "my name is jack" in spoken(out, "customer").lower()
        assert "dealership" in spoken(out, "customer").lower()
        assert out.score
        assert out.score > 50

    def test_a_mono_8_bit_call_is_recognised(self, engine: Engine) -> None:
        out = score(engine, wav(_first(RECORDINGS / "service_call_mono_8bit.wav")))
        text = spoken(out, "unknown").lower()
        assert "how can i help you" in text
        assert "light is coming on" in text


def _first(path: Path, seconds: int = 45) -> Mono:
    with wave.open(str(path)) as file:
        data = file.readframes(seconds * file.getframerate())
        if file.getsampwidth() == 1:
            return ((np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128).astype(np.float32)
        return (np.frombuffer(data, "<i2") / 32768).astype(np.float32)
