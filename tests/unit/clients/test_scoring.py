"""The scoring client against a service that answers in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from pydantic import SecretStr

from tests.unit.clients.http_server import Scripted, scripted_server
from voc_stream.clients.scoring import ScoringClient
from voc_stream.clients.scoring_wire import ScoreReply, ScoreRequest
from voc_stream.errors import OutageError, OutsideError, RejectedError, ThrottledError, TransientError, UnavailableError
from voc_stream.settings import Settings

REQUEST = ScoreRequest(call_id="701", tenant_id="acme", expected_seconds=30.0)
REPLY: dict[str, Any] = {
    "call_id": "701",
    "outcome": "SCORED",
    "reason": None,
    "detail": None,
    "score": 87.25,
    "model_version": "rubric-1+whisper-tiny.en",
    "asr_model": "whisper-tiny.en",
    "breakdown": [
        {
            "item": "greeting",
            "points": 10.0,
            "max_points": 10.0,
            "applicable": True,
            "detail": "The agent greets.",
            "evidence": [{"quote": "Hello", "start": 0.4, "end": 1.0, "speaker": "agent"}],
        }
    ],
    "transcript": {"language": "en", "turns": [{"speaker": "agent", "start": 0.4, "end": 1.0, "text": "Hello"}]},
    "audio": {"codec": "pcm_s16le", "duration": 30.0, "sample_rate": 8000, "channels": 2, "talk_seconds": {"agent": 12.0}},
    "latency_ms": 5,
}


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as script:
        yield script


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(server: Scripted, clock: Clock) -> AsyncIterator[ScoringClient]:
    made = ScoringClient(Settings(scoring_url=server.url, scoring_token=SecretStr("tok-en"), scoring_timeout_seconds=5), clock)
    await made.open()
    yield made
    await made.close()


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def reply(**changed: Any) -> bytes:
    return msgspec.json.encode(REPLY | changed)


async def test_a_call_goes_as_metadata_and_audio_and_comes_back_typed(server: Scripted, client: ScoringClient) -> None:
    got: list[tuple[str | None, str, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        async for part in await request.multipart():
            assert isinstance(part, aiohttp.BodyPartReader)
            got.append((part.name, part.headers["Content-Type"], bytes(await part.read())))
        return web.Response(body=reply())

    server.answer = answer
    scored = await client.score(REQUEST, chunks(b"RIFF", b"....", b""))
    metadata = b'{"call_id":"701","tenant_id":"acme","expected_seconds":30.0}'
    assert got == [("metadata", "application/json", metadata), ("audio", "application/octet-stream", b"RIFF....")]
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.headers["Authorization"]) == ("POST", "/v1/score", "Bearer tok-en")
    assert asked.headers["Transfer-Encoding"] == "chunked"
    assert scored == msgspec.convert(REPLY, ScoreReply)
    assert scored.breakdown[0].evidence[0].quote == "Hello"


async def test_the_first_bytes_leave_before_the_last_are_read(server: Scripted, client: ScoringClient) -> None:
    arrived = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        parts = await request.multipart()
        metadata, audio = await parts.next(), await parts.next()
        assert isinstance(audio, aiohttp.BodyPartReader)
        assert metadata is not None
        assert await audio.read_chunk(1024)
        arrived.set()
        while await audio.read_chunk():
            pass
        return web.Response(body=reply())

    async def waiting() -> AsyncIterator[bytes]:
        yield b"x" * 70_000
        await arrived.wait()
        yield b"y"

    server.answer = answer
    assert (await client.score(REQUEST, waiting())).score == 87.25


async def test_an_error_of_the_source_is_its_own(server: Scripted, client: ScoringClient) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=reply())

    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * 70_000
        raise TransientError("s3", "the object broke off")

    server.answer = answer
    with pytest.raises(TransientError, match="s3: the object broke off"):
        await client.score(REQUEST, breaking())


async def test_a_refusal_before_the_end_stops_the_source(server: Scripted, client: ScoringClient) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 70_000
                await asyncio.sleep(0)
        finally:
            ended.set()

    async def answer(request: web.Request) -> web.Response:
        parts = await request.multipart()
        await parts.next()
        await parts.next()
        return web.json_response({"error": "not_audio", "detail": "The file is not audio."}, status=415)

    server.answer = answer
    source = endless()
    with pytest.raises(RejectedError, match="The file is not audio"):
        await client.score(REQUEST, source)
    await source.aclose()
    assert ended.is_set()


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (400, {}, RejectedError),
        (404, {}, RejectedError),
        (413, {}, RejectedError),
        (415, {}, RejectedError),
        (422, {}, RejectedError),
        (401, {}, ThrottledError),
        (403, {}, ThrottledError),
        (408, {}, ThrottledError),
        (429, {"Retry_After": "3"}, ThrottledError),
        (503, {"Retry_After": "3"}, ThrottledError),
        (503, {}, UnavailableError),
        (500, {}, TransientError),
        (307, {"Location": "/elsewhere"}, ThrottledError),
    ],
)
async def test_a_status_says_what_to_do(
    server: Scripted, client: ScoringClient, status: int, headers: dict[str, str], kind: type[OutsideError]
) -> None:
    server.says(status, b'{"error": "code", "detail": "The file is not audio."}', **headers)
    for attempt in (client.score(REQUEST, chunks(b"x")), client.score_batch([(REQUEST, b"x")]), client.model_version(), client.probe()):
        with pytest.raises(kind) as caught:
            await attempt
        assert type(caught.value) is kind
        assert ("The file is not audio." in caught.value.reason) is (kind is RejectedError)
        assert caught.value.retry_after == (3 if headers.get("Retry_After") else None)
        assert "tok-en" not in str(caught.value)


async def test_nobody_there_is_an_outage(unused_tcp_port: int) -> None:
    made = ScoringClient(Settings(scoring_url=f"http://127.0.0.1:{unused_tcp_port}"))
    await made.open()
    with pytest.raises(OutageError):
        await made.score(REQUEST, chunks(b"x"))
    with pytest.raises(OutageError):
        await made.probe()
    await made.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        reply(call_id="702"),
        reply(score=100.01),
        reply(score=-1),
        reply(score=None),
        reply(score="87"),
        reply(outcome="MAYBE"),
        reply(reason="silent"),
        reply(outcome="NOT_SCORABLE", score=None),
        reply(outcome="NOT_SCORABLE", reason="silent"),
        reply(outcome="NOT_SCORABLE", reason="boring", score=None),
        reply(model_version=""),
        reply(latency_ms=-1),
        reply().replace(b"87.25", b"NaN"),
    ],
)
async def test_an_answer_that_cannot_be_is_worth_another_try(server: Scripted, client: ScoringClient, body: bytes) -> None:
    server.says(200, body)
    with pytest.raises(TransientError) as caught:
        await client.score(REQUEST, chunks(b"x"))
    assert "Hello" not in str(caught.value)


class Hanging:
    """A service that never scores; what it says of itself is the test's to set."""

    def __init__(self, server: Scripted) -> None:
        self.well = False
        self.asked = 0
        self._server = server

    async def answer(self, request: web.Request) -> web.Response:
        if request.path != "/readyz":
            await self._server.released.wait()
        self.asked += 1
        return web.Response(status=200 if self.well else 500)


@pytest.fixture
async def impatient(server: Scripted) -> AsyncIterator[ScoringClient]:
    made = ScoringClient(Settings(scoring_url=server.url, scoring_check_seconds=0.05))
    await made.open()
    yield made
    await made.close()


async def test_a_service_that_hangs_is_noticed_long_before_the_time_out(server: Scripted, impatient: ScoringClient) -> None:
    hanging = Hanging(server)
    server.answer = hanging.answer
    with pytest.raises(TransientError, match="500"):
        await impatient.score(REQUEST, chunks(b"RIFF"))

    assert hanging.asked == 2, "a single question may be answered late"


async def test_a_service_that_is_well_may_take_its_time(server: Scripted, impatient: ScoringClient) -> None:
    hanging = Hanging(server)
    hanging.well = True
    server.answer = hanging.answer
    scoring = asyncio.create_task(impatient.score(REQUEST, chunks(b"RIFF")))
    async with asyncio.timeout(30):
        while hanging.asked < 4:
            await asyncio.sleep(0.01)

    assert not scoring.done()
    scoring.cancel()
    await asyncio.gather(scoring, return_exceptions=True)


async def test_a_call_without_a_score_has_a_reason(server: Scripted, client: ScoringClient) -> None:
    server.says(200, reply(outcome="NOT_SCORABLE", reason="silent", score=None, transcript=None, breakdown=[]))
    assert (await client.score(REQUEST, chunks(b"x"))).reason == "silent"


async def test_one_bad_call_of_a_batch_leaves_the_others_alone(server: Scripted, client: ScoringClient) -> None:
    def failed(call_id: str, status: int) -> dict[str, Any]:
        return {"call_id": call_id, "error": {"status": status, "code": "code", "detail": "A sentence."}}

    results = [REPLY, failed("702", 415), failed("703", 500), REPLY | {"call_id": "704", "score": 500}, REPLY | {"call_id": "705"}]
    server.says(200, msgspec.json.encode({"results": results}))
    calls = [(ScoreRequest(call_id=str(number), tenant_id="acme"), b"x") for number in range(701, 706)]
    replies = await client.score_batch(calls)
    assert [type(each) for each in replies] == [ScoreReply, RejectedError, TransientError, TransientError, ScoreReply]
    assert str(replies[1]) == "scorer: it answered 415: A sentence."


@pytest.mark.parametrize("results", [[], [REPLY, REPLY]])
async def test_a_batch_must_be_answered_in_full(server: Scripted, client: ScoringClient, results: list[Any]) -> None:
    server.says(200, msgspec.json.encode({"results": results}))
    with pytest.raises(TransientError):
        await client.score_batch([(REQUEST, b"x")])


async def test_the_model_version_is_asked_once_a_minute(server: Scripted, client: ScoringClient, clock: Clock) -> None:
    server.says(200, b'{"model_version": "rubric-1+none", "asr_model": "none", "rubric": {}}')
    assert await asyncio.gather(*(client.model_version() for _ in range(5))) == ["rubric-1+none"] * 5
    clock.now = 59.9
    await client.model_version()
    assert len(server.asked) == 1
    server.says(200, b'{"model_version": "rubric-2+none"}')
    clock.now = 60
    assert await client.model_version() == "rubric-2+none"
    assert len(server.asked) == 2
