"""What a recording is, learned while it streams past: every format, cut anywhere, lying headers, no audio at all."""

from __future__ import annotations

import asyncio
import io
import os
import random
import struct
import threading
import tracemalloc
from contextlib import suppress
from functools import cache

import numpy as np
import pytest
import soundfile

from voc_stream.clients.probe import AudioFacts, AudioProbe, NotAudioError

RATE = 8000
SECONDS = 4
HEADER = 44


@cache
def recording(container: str, subtype: str | None = None, seconds: int = SECONDS) -> bytes:
    tone = (np.sin(np.arange(RATE * seconds) * 0.3) * 8000).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, tone, RATE, format=container, subtype=subtype)
    return buffer.getvalue()


def wav(data: bytes, *, promised: int | None = None, tag: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16, before: bytes = b"") -> bytes:
    block = channels * bits // 8
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate, rate * block, block, bits)
    return b"RIFF\0\0\0\0WAVE" + before + fmt + struct.pack("<4sI", b"data", len(data) if promised is None else promised) + data


async def probe(data: bytes, chunk: int = 64 << 10) -> AudioFacts:
    made = AudioProbe()
    try:
        for at in range(0, len(data), chunk):
            await made.feed(data[at : at + chunk])
        return await made.finish()
    finally:
        made.close()


@pytest.mark.parametrize("chunk", [64 << 10, 1000, 7])
@pytest.mark.parametrize(
    ("container", "subtype", "codec"),
    [
        ("WAV", "PCM_16", "pcm_s16le"),
        ("WAV", "PCM_U8", "pcm_u8"),
        ("WAV", "PCM_24", "pcm_s24le"),
        ("WAV", "FLOAT", "pcm_f32le"),
        ("WAV", "ULAW", "pcm_mulaw"),
        ("WAV", "ALAW", "pcm_alaw"),
        ("WAV", "GSM610", "gsm_ms"),
        ("WAV", "IMA_ADPCM", "adpcm_ima_wav"),
        ("WAVEX", "PCM_16", "pcm_s16le"),
        ("RF64", "PCM_16", "pcm_s16le"),
        ("MP3", None, "mp3"),
        ("OGG", "VORBIS", "vorbis"),
        ("OGG", "OPUS", "opus"),
        ("FLAC", None, "flac"),
    ],
)
async def test_every_format_is_known_however_it_is_cut(container: str, subtype: str | None, codec: str, chunk: int) -> None:
    facts = await probe(recording(container, subtype), chunk)
    assert facts.codec == codec
    assert facts.channels == 1
    assert facts.sample_rate == (48_000 if codec == "opus" else RATE)
    assert facts.duration == pytest.approx(SECONDS, abs=0.2)


@pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16"), ("WAV", "GSM610"), ("MP3", None), ("FLAC", None)])
async def test_a_recording_cut_off_is_as_long_as_what_came(container: str, subtype: str | None) -> None:
    whole = recording(container, subtype, seconds=20)
    assert (await probe(whole[: len(whole) // 2])).duration == pytest.approx(10, abs=2.5)


@pytest.mark.parametrize("promised", [0, 100, 16_000, 10**6, 0xFFFFFFFF])
async def test_a_header_that_lies_about_its_length_is_not_believed(promised: int) -> None:
    assert (await probe(wav(bytes(16_000), promised=promised))).duration == 1.0


@pytest.mark.parametrize("chunk", [64 << 10, 3])
@pytest.mark.parametrize("samples", [16_000, 15_999])
async def test_what_follows_the_audio_is_not_audio(samples: int, chunk: int) -> None:
    padded = bytes(samples) + bytes(samples % 2)
    trailer = b"LIST" + struct.pack("<I", 26) + bytes(26)
    assert (await probe(wav(padded + trailer, promised=samples, bits=8), chunk)).duration == round(samples / RATE, 3)


async def test_chunks_before_the_audio_are_skipped_not_kept() -> None:
    before = b"JUNK" + struct.pack("<I", 3_000_001) + bytes(3_000_002)
    assert (await probe(wav(bytes(16_000), before=before), 1000)).duration == 1.0


async def test_two_channels_halve_the_duration() -> None:
    assert await probe(wav(bytes(32_000), channels=2)) == AudioFacts(codec="pcm_s16le", duration=1.0, sample_rate=RATE, channels=2)


async def test_no_bytes_are_no_codec_and_no_duration() -> None:
    assert await probe(b"") == AudioFacts(codec="", duration=0.0, sample_rate=0, channels=0)


async def test_a_header_alone_is_audio_of_no_length() -> None:
    assert (await probe(wav(b""))).duration == 0.0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"This is a text file, not a recording.\n" * 100, "neither WAV"),
        (b"hi", "2 bytes long"),
        (b"<html>", "6 bytes long"),
        (bytes(1000), "neither WAV"),
        (b"RIFF\0\0\0\0AVI LIST", "neither WAV"),
        (b"RIFF\0\0\0\0WAVEfmt ", "ends inside its WAV header"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "names no format"),
        (wav(b"", channels=0), "makes no sense"),
        (wav(b"", rate=0), "makes no sense"),
        (wav(b"", bits=12), "makes no sense"),
        (b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff" + bytes(1000), "makes no sense"),
        (b"OggS" + bytes(100_000), "holds no audio"),
        (b"fLaC" + bytes(100_000), "holds no audio"),
        (b"ID3\x04\0\0\0\0\0\0" + b"text " * 10_000, "holds no audio"),
    ],
)
async def test_what_is_no_audio_is_said_in_a_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(NotAudioError, match=reason):
        await probe(data)


@pytest.mark.parametrize("magic", [b"OggS", b"fLaC", b"\xff\xfb\x90\x00", b"ID3\x04\0\0", b"RIFF\0\0\0\0WAVE"])
async def test_noise_behind_a_magic_number_ends_in_facts_or_a_sentence(magic: bytes) -> None:
    noise = random.Random(7).randbytes(300_000)  # noqa: S311 - the same noise every time
    with suppress(NotAudioError):
        assert (await probe(magic + noise)).duration >= 0


async def test_a_problem_is_told_at_the_end_so_that_the_copy_goes_on() -> None:
    made = AudioProbe()
    for _ in range(100):
        await made.feed(b"text " * 1000)
    for _ in range(2):
        with pytest.raises(NotAudioError):
            await made.finish()


async def test_the_codec_is_known_early_and_the_duration_at_the_end() -> None:
    made = AudioProbe()
    await made.feed(wav(bytes(16_000)))
    assert made.known() == {"codec": "pcm_s16le"}
    await made.finish()
    assert made.known() == {"codec": "pcm_s16le", "duration": "1.000"}


async def test_a_probe_that_is_left_early_leaves_no_thread() -> None:
    made = AudioProbe()
    await made.feed(recording("MP3")[:1000])
    (thread,) = [each for each in threading.enumerate() if each.name == "probe"]
    made.close()
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


@pytest.mark.parametrize("lead", ["wav", "mp3"])
async def test_the_memory_of_a_long_recording_is_that_of_a_few_chunks(lead: str) -> None:
    start = wav(b"", promised=0xFFFFFFFF) if lead == "wav" else recording("MP3")
    again = os.urandom(64 << 10) if lead == "wav" else recording("MP3")
    made = AudioProbe()
    tracemalloc.start()
    await made.feed(start)
    for _ in range(1840 if lead == "wav" else 200):
        await made.feed(again)
    facts = await made.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    made.close()
    assert peak < 2 << 20
    assert facts.duration > 500
