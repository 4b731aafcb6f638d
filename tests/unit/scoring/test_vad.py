from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import soxr

from tests.unit.scoring.sounds import RATE, noise, say, silence, tone
from voc_stream.scoring.audio import RATE as HEARD_RATE
from voc_stream.scoring.audio import Samples
from voc_stream.scoring.vad import FRAME_SECONDS, GgmlSilero, SpeechDetector, load_detector, speech_spans


def probabilities(*frames: tuple[float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Pairs of seconds and probability."""
    return np.concatenate([np.full(round(seconds / FRAME_SECONDS), value, np.float32) for seconds, value in frames])


def test_spans_begin_and_end_with_the_speech() -> None:
    (span,) = speech_spans(probabilities((1, 0), (2, 0.9), (1, 0)))
    assert span.start == pytest.approx(1, abs=0.05)
    assert span.end == pytest.approx(3, abs=0.05)


def test_a_breath_is_bridged_and_a_pause_is_not() -> None:
    assert len(speech_spans(probabilities((1, 0.9), (0.2, 0), (1, 0.9)))) == 1
    assert len(speech_spans(probabilities((1, 0.9), (0.6, 0), (1, 0.9)))) == 2


def test_a_blip_is_no_speech() -> None:
    assert speech_spans(probabilities((1, 0), (0.1, 0.9), (1, 0))) == ()


def test_doubt_keeps_speech_going_but_does_not_start_it() -> None:
    assert speech_spans(probabilities((2, 0.4))) == ()
    (span,) = speech_spans(probabilities((1, 0.9), (1, 0.4), (1, 0)))
    assert span.end == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("new", [load_detector()[1], GgmlSilero], ids=["onnx", "ggml"])
class TestDetectors:
    def test_speech_is_told_from_music_noise_and_silence(self, new: Callable[[], SpeechDetector]) -> None:
        speech = say("Good morning, how can I help you with your order today?")
        assert _share(new(), speech) > 0.6
        for sound in (tone(3, 262, 330, 392), noise(3), silence(3)):
            assert _share(new(), sound) < 0.1

    def test_blocks_are_heard_as_one_stream(self, new: Callable[[], SpeechDetector]) -> None:
        heard = _resampled(say("Good morning, how can I help you with your order today?"))
        whole, detector = new().probabilities(heard), new()
        cut = 512 * 20
        parts = np.concatenate([detector.probabilities(heard[:cut]), detector.probabilities(heard[cut:])])
        np.testing.assert_allclose(parts, whole, atol=1e-3)


def _resampled(samples: Samples) -> Samples:
    return np.asarray(soxr.resample(samples, RATE, HEARD_RATE), dtype=np.float32)


def _share(detector: SpeechDetector, samples: Samples) -> float:
    return float((detector.probabilities(_resampled(samples)) > 0.5).mean())
