"""What every scoring client does: the fake, and the real one against the scoring service."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from tests.fakes.scoring import FakeScoring
from voc_stream.clients.scoring import ScoringClient
from voc_stream.clients.scoring_wire import ScoreReply, ScoreRequest
from voc_stream.errors import OutsideError, RejectedError, TransientError
from voc_stream.scoring.loading import prepare
from voc_stream.scoring.service import Service
from voc_stream.settings import Settings

FMT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 8000, 32_000, 4, 16)
WAV = b"RIFF" + struct.pack("<I", 36 + 320_000) + b"WAVE" + FMT + b"data" + struct.pack("<I", 320_000) + bytes(320_000)
TEXT = b"a text that was named .wav" * 100


@pytest.fixture
async def service() -> AsyncIterator[ScoringClient]:
    """The client of a scoring service in this process, without speech recognition."""
    settings = Settings(scorer_asr="off", scorer_token=SecretStr("made-up"), scoring_token=SecretStr("made-up"))
    server = TestServer(Service(settings, prepare(settings)).app())
    await server.start_server()
    client = ScoringClient(settings.model_copy(update={"scoring_url": str(server.make_url("")).rstrip("/")}))
    await client.open()
    await _until_ready(client)
    yield client
    await client.close()
    await server.close()


async def _until_ready(client: ScoringClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await client.probe()
            except OutsideError:
                await asyncio.sleep(0.05)


@pytest.fixture(params=["fake", pytest.param("service", marks=pytest.mark.integration)])
def scoring(request: pytest.FixtureRequest) -> FakeScoring | ScoringClient:
    if request.param == "fake":
        return FakeScoring()
    real: ScoringClient = request.getfixturevalue("service")
    return real


def call(call_id: str = "701") -> ScoreRequest:
    return ScoreRequest(call_id=call_id, tenant_id="acme", expected_seconds=10.0)


async def stream(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 64 << 10):
        yield data[at : at + (64 << 10)]


async def test_a_verdict_is_about_its_call_and_by_the_model_that_was_named(scoring: FakeScoring | ScoringClient) -> None:
    reply = await scoring.score(call(), stream(WAV))
    assert reply.call_id == "701"
    assert reply.model_version == await scoring.model_version()
    assert (reply.score is None) == (reply.outcome == "NOT_SCORABLE")


async def test_a_recording_without_a_byte_is_not_scorable(scoring: FakeScoring | ScoringClient) -> None:
    reply = await scoring.score(ScoreRequest(call_id="701", tenant_id="acme"), stream(b""))
    assert (reply.outcome, reply.reason, reply.score) == ("NOT_SCORABLE", "empty", None)
    assert reply.detail


async def test_what_is_not_audio_is_refused_with_a_sentence(scoring: FakeScoring | ScoringClient) -> None:
    with pytest.raises(RejectedError, match=r"415: \w+"):
        await scoring.score(call(), stream(TEXT))


async def test_an_error_of_the_source_is_its_own(scoring: FakeScoring | ScoringClient) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield WAV[:100_000]
        raise TransientError("s3", "the object broke off")

    with pytest.raises(TransientError, match="s3: the object broke off"):
        await scoring.score(call(), breaking())


async def test_a_batch_is_answered_in_order_and_a_bad_call_alone_fails(scoring: FakeScoring | ScoringClient) -> None:
    first, bad, last = await scoring.score_batch([(call("701"), WAV), (call("702"), TEXT), (call("703"), WAV)])
    assert isinstance(first, ScoreReply)
    assert isinstance(bad, RejectedError)
    assert isinstance(last, ScoreReply)
    assert (first.call_id, last.call_id) == ("701", "703")


async def test_a_healthy_service_passes_the_probe(scoring: FakeScoring | ScoringClient) -> None:
    await scoring.probe()
