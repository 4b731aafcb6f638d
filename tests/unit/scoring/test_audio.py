from __future__ import annotations

import io
import random
from typing import cast

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.scoring.sounds import RATE, noise, riff, silence, tone, wav
from voc_stream.scoring.audio import BLOCK, Samples, open_recording
from voc_stream.scoring.audio import RATE as HEARD_RATE
from voc_stream.scoring.errors import NotAudioError, ScoringError, TooLargeError
from voc_stream.scoring.riff import present_data_bytes, promised_data_bytes


def decode(data: bytes, max_seconds: float = 600.0) -> tuple[str, int, Samples]:
    with open_recording(io.BytesIO(data), max_seconds=max_seconds) as recording:
        return recording.codec, recording.channels, np.concatenate([np.zeros((recording.channels, 0), np.float32), *recording.blocks], axis=1)


def encode(samples: Samples, container: str, codec: str, rate: int, sample_format: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = cast("av.AudioStream", out.add_stream(codec, rate=rate, layout="mono"))
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        for piece in av.AudioResampler(format=sample_format, layout="mono", rate=rate, frame_size=stream.codec_context.frame_size or 160).resample(
            frame
        ):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "rate", "sample_format", "heard"),
    [
        ("wav", "pcm_s16le", 8000, "s16", "pcm_s16le"),
        ("wav", "pcm_u8", 8000, "u8", "pcm_u8"),
        ("wav", "pcm_mulaw", 8000, "s16", "pcm_mulaw"),
        ("wav", "pcm_alaw", 8000, "s16", "pcm_alaw"),
        ("mp3", "libmp3lame", 16000, "s16p", "mp3float"),
        ("ogg", "libopus", 48000, "s16", "opus"),
        ("flac", "flac", 8000, "s16", "flac"),
    ],
)
def test_every_kind_is_decoded_to_16_khz(container: str, codec: str, rate: int, sample_format: str, heard: str) -> None:
    codec_heard, channels, samples = decode(encode(tone(5.0, 440), container, codec, rate, sample_format))
    assert (codec_heard, channels) == (heard, 1)
    assert samples.shape[1] / HEARD_RATE == pytest.approx(5.0, abs=0.15)
    spectrum = np.abs(np.fft.rfft(samples[0, :HEARD_RATE]))
    assert int(np.argmax(spectrum)) == pytest.approx(440, abs=2)


def test_gsm_in_wav_is_decoded() -> None:
    soundfile = pytest.importorskip("soundfile", reason="soundfile (group stack) is not installed")
    file = io.BytesIO()
    soundfile.write(file, tone(5.0, 440), RATE, format="WAV", subtype="GSM610")
    codec, _, samples = decode(file.getvalue())
    assert codec == "gsm_ms"
    assert samples.shape[1] / HEARD_RATE == pytest.approx(5.0, abs=0.15)


def test_channels_stay_apart() -> None:
    _, channels, samples = decode(wav(np.stack([tone(2.0, 440), silence(2.0)])))
    assert channels == 2
    assert np.abs(samples[0]).max() > 0.1
    assert np.abs(samples[1]).max() == 0


def test_a_long_recording_comes_in_blocks_of_one_size() -> None:
    with open_recording(io.BytesIO(wav(silence(100))), max_seconds=600) as recording:
        sizes = [block.shape[1] for block in recording.blocks]
    assert sizes[:-1] == [BLOCK] * (len(sizes) - 1)
    assert sum(sizes) == pytest.approx(100 * HEARD_RATE, abs=32)


def test_the_limit_of_seconds_counts_what_is_decoded_and_not_what_the_header_says() -> None:
    lying = riff((silence(30)).astype("<i2").tobytes(), declared=100)
    assert decode(lying, max_seconds=10)[2].shape[1] < HEARD_RATE
    with pytest.raises(TooLargeError):
        decode(wav(silence(30)), max_seconds=10)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"Dear customer,\n" * 200, id="text"),
        pytest.param(b"RIFF", id="four bytes"),
        pytest.param(wav(tone(1, 440))[:30], id="a truncated header"),
        pytest.param(random.Random(7).randbytes(50_000), id="random bytes"),  # noqa: S311 — a fixed sequence is wanted
        pytest.param(b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n", id="a playlist that names a file"),
        pytest.param(b"ffconcat version 1.0\nfile /etc/hostname\n", id="a list of files"),
        pytest.param(riff(bytes(4000), channels=8), id="eight channels"),
        pytest.param(riff(bytes(4000), rate=1), id="one sample a second"),
        pytest.param(riff(bytes(4000), rate=4_000_000), id="four million samples a second"),
    ],
)
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(NotAudioError):
        decode(data)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=6), st.integers(0, 4000))
def test_a_damaged_header_is_decoded_or_refused_and_nothing_else(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(wav(noise(0.2)))
    for at, value in changes:
        data[at] = value
    try:
        decode(bytes(data[:length]))
    except ScoringError:
        return


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=20))
def test_a_damaged_mp3_is_decoded_or_refused_and_nothing_else(changes: list[tuple[int, int]]) -> None:
    data = bytearray(MP3)
    for at, value in changes:
        data[at % len(data)] = value
    try:
        decode(bytes(data))
    except ScoringError:
        return


MP3 = encode(tone(1.0, 440), "mp3", "libmp3lame", 16000, "s16p")


class TestPromisedBytes:
    def test_a_whole_file_has_what_it_promises(self) -> None:
        file = io.BytesIO(wav(tone(1, 440)))
        assert promised_data_bytes(file) == present_data_bytes(file) == 2 * RATE

    def test_chunks_before_the_samples_are_skipped(self) -> None:
        whole = wav(tone(1, 440))
        file = io.BytesIO(whole[:36] + b"LIST\x03\x00\x00\x00abc\x00" + whole[36:])
        assert promised_data_bytes(file) == 2 * RATE

    @pytest.mark.parametrize(
        "data", [b"", b"OggS" + bytes(40), riff(bytes(10), declared=0), riff(bytes(10), declared=0xFFFFFFFF), b"RIFF\0\0\0\0WAVE"]
    )
    def test_a_file_that_gives_no_size_promises_nothing(self, data: bytes) -> None:
        assert promised_data_bytes(io.BytesIO(data)) is None
