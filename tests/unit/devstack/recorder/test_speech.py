"""Speech and dialogues as sound."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from voc_stream.devstack.recorder.dialogues import Turn
from voc_stream.devstack.recorder.sound import AGENT, CUSTOMER, converse, mix
from voc_stream.devstack.recorder.speech import SAMPLE_RATE, SpeechError, synthesise

HELLO = "Good morning, thank you for calling."


def test_speech_is_mono_int16_at_8_khz_and_as_long_as_the_rate_says() -> None:
    slow, fast = synthesise(HELLO, "en-us", 120), synthesise(HELLO, "en-us", 240)

    assert slow.dtype == np.int16
    assert slow.ndim == 1
    assert 1.0 < len(fast) / SAMPLE_RATE < len(slow) / SAMPLE_RATE < 5.0


def test_the_same_words_sound_the_same_whatever_was_said_before_and_in_any_thread() -> None:
    first = {voice: synthesise(HELLO, voice, 165) for voice in ("en-us", "en-us+f3")}

    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda voice: (voice, synthesise(HELLO, voice, 165)), ["en-us+f3", "en-us"] * 4))

    assert all(np.array_equal(samples, first[voice]) for voice, samples in again)
    assert not np.array_equal(first["en-us"], first["en-us+f3"])


def test_no_words_are_no_sound() -> None:
    assert len(synthesise("  ", "en-us", 165)) == 0


def test_an_unknown_voice_is_an_error() -> None:
    with pytest.raises(SpeechError, match="zz-nobody"):
        synthesise(HELLO, "zz-nobody", 165)


@pytest.mark.parametrize("rate", [0, 79, 451])
def test_a_rate_nobody_speaks_at_is_an_error(rate: int) -> None:
    with pytest.raises(ValueError, match=str(rate)):
        synthesise(HELLO, "en-us", rate)


def test_agent_and_customer_speak_in_turn_each_on_a_channel() -> None:
    spoken = converse((Turn("agent", HELLO), Turn("customer", "Hello there.", pause=3.0)), variant=0, segment=0, seed=1)

    agent, customer = spoken.turns
    middle = int((agent.start + agent.end) / 2 * SAMPLE_RATE)
    around = slice(middle - 2000, middle + 2000)
    assert 3.3 < customer.start - agent.end < 4.2
    assert np.abs(spoken.samples[around, AGENT]).max() > 3000
    assert np.abs(spoken.samples[around, CUSTOMER]).max() < 100


def test_who_interrupts_begins_before_the_other_has_ended() -> None:
    spoken = converse((Turn("customer", HELLO), Turn("agent", "No.", interrupts=True)), variant=0, segment=0, seed=1)

    assert spoken.turns[1].start < spoken.turns[0].end


def test_a_mix_holds_both_voices_without_overflow() -> None:
    loud = np.full((10, 2), 30_000, np.int16)

    assert mix(loud).tolist() == [[32_767]] * 10
