from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, FormData, MultipartWriter
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from tests.unit.scoring.dialogues import REPAIR
from tests.unit.scoring.sounds import dialogue, silence, wav
from voc_stream.scoring.engine import Engine
from voc_stream.scoring.service import Service
from voc_stream.settings import Settings

Client = TestClient[Request, Application]
Serve = Callable[..., Awaitable[Client]]

METADATA = {"call_id": "c1", "tenant_id": "acme", "expected_seconds": None}
CALL = wav(dialogue(REPAIR[:4]))


@pytest.fixture
async def serve(deaf_engine: Engine) -> AsyncIterator[Serve]:
    clients: list[Client] = []

    async def start(*, ready: bool = True, load: Callable[[], Engine] = lambda: deaf_engine, idle_seconds: float = 30.0, **settings: Any) -> Client:
        client = TestClient(TestServer(Service(Settings(**settings), load, idle_seconds=idle_seconds).app()))
        clients.append(client)
        await client.start_server()
        if ready:
            await _until_ready(client)
        return client

    yield start
    for client in clients:
        await client.close()


def form(audio: bytes | None = CALL, metadata: Any = METADATA) -> MultipartWriter:
    writer = MultipartWriter("form-data")
    if metadata is not None:
        text = metadata if isinstance(metadata, str) else json.dumps(metadata)
        writer.append(text, {"Content-Type": "application/json"}).set_content_disposition("form-data", name="metadata")
    if audio is not None:
        writer.append(audio, {"Content-Type": "audio/wav"}).set_content_disposition("form-data", name="audio", filename="c1.wav")
    return writer


def batch(calls: list[Any], *audios: bytes) -> FormData:
    data = FormData()
    data.add_field("metadata", json.dumps({"calls": calls}), content_type="application/json")
    for audio in audios:
        data.add_field("audio", audio, filename="x.wav", content_type="audio/wav")
    return data


class TestScore:
    async def test_a_recording_is_answered_as_the_contract_says(self, serve: Serve) -> None:
        client = await serve()
        answer = await client.post("/v1/score", data=form())
        assert answer.status == 200
        body = await answer.json()
        assert set(body) == {
            *("call_id", "outcome", "reason", "detail", "score", "model_version", "asr_model"),
            *("breakdown", "transcript", "audio", "latency_ms"),
        }
        assert (body["call_id"], body["outcome"], body["reason"]) == ("c1", "SCORED", None)
        assert set(body["breakdown"][0]) == {"item", "points", "max_points", "applicable", "detail", "evidence"}
        assert set(body["audio"]) == {"codec", "duration", "sample_rate", "channels", "talk_seconds"}

    async def test_a_form_that_comes_in_pieces_is_read_as_it_comes(self, serve: Serve) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(CALL), 5000):
                yield CALL[at : at + 5000]
                await asyncio.sleep(0)

        writer = form(audio=None)
        writer.append(pieces(), {"Content-Type": "audio/wav"}).set_content_disposition("form-data", name="audio", filename="c1.wav")
        answer = await (await serve()).post("/v1/score", data=writer)
        assert (answer.status, (await answer.json())["outcome"]) == (200, "SCORED")

    async def test_an_empty_recording_is_not_scorable_and_no_error(self, serve: Serve) -> None:
        answer = await (await serve()).post("/v1/score", data=form(b""))
        body = await answer.json()
        assert (answer.status, body["outcome"], body["reason"], body["score"]) == (200, "NOT_SCORABLE", "empty", None)


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "data"),
        [
            pytest.param(400, lambda: form(audio=None), id="no audio"),
            pytest.param(400, lambda: form(metadata=None), id="no metadata"),
            pytest.param(400, lambda: b"RIFF" + bytes(100), id="no form"),
            pytest.param(415, lambda: form(b"Dear customer,\n" * 100), id="a text named wav"),
            pytest.param(422, lambda: form(metadata="{"), id="metadata that are no JSON"),
            pytest.param(422, lambda: form(metadata={"call_id": "c1"}), id="no tenant"),
            pytest.param(422, lambda: form(metadata=METADATA | {"expected_seconds": -1}), id="a negative duration"),
            pytest.param(422, lambda: form(metadata=METADATA | {"call_id": "x" * 100}), id="a long call_id"),
            pytest.param(413, lambda: form(metadata=METADATA | {"note": "x" * 70_000}), id="huge metadata"),
        ],
    )
    async def test_a_bad_request_gets_its_status_and_one_sentence(self, serve: Serve, status: int, data: Callable[[], Any]) -> None:
        answer = await (await serve()).post("/v1/score", data=data())
        body = await answer.json()
        assert answer.status == status
        assert set(body) == {"error", "detail"}
        assert body["detail"].endswith(".")

    async def test_parts_in_the_wrong_order_are_refused(self, serve: Serve) -> None:
        data = FormData()
        data.add_field("audio", CALL, filename="c1.wav")
        data.add_field("metadata", json.dumps(METADATA), content_type="application/json")
        assert (await (await serve()).post("/v1/score", data=data)).status == 400

    async def test_a_form_that_breaks_off_is_refused(self, serve: Serve) -> None:
        client = await serve()
        for length in (0, 10, 60, 150, 400):
            body = (
                b"--b\r\n" + b'Content-Disposition: form-data; name="metadata"\r\n\r\n' + json.dumps(METADATA).encode() + b"\r\n--b\r\n" + bytes(500)
            )
            answer = await client.post("/v1/score", data=body[:length], headers={"Content-Type": "multipart/form-data; boundary=b"})
            assert 400 <= answer.status < 500

    async def test_a_form_without_a_boundary_is_refused(self, serve: Serve) -> None:
        answer = await (await serve()).post("/v1/score", data=b"x", headers={"Content-Type": "multipart/form-data"})
        assert answer.status == 400

    async def test_a_compressed_body_is_not_unpacked(self, serve: Serve) -> None:
        headers = {"Content-Encoding": "gzip", "Content-Type": "multipart/form-data; boundary=b"}
        answer = await (await serve()).post("/v1/score", data=gzip.compress(bytes(50_000_000)), headers=headers)
        assert answer.status == 415

    async def test_a_body_over_the_limit_is_too_large_even_if_it_does_not_say_so(self, serve: Serve) -> None:
        client = await serve(scorer_max_bytes=10_000)
        assert (await client.post("/v1/score", data=form(bytes(200_000)))).status == 413
        assert (await client.post("/v1/score", data=form(bytes(20_000)))).status == 413

    async def test_a_recording_over_the_limit_of_seconds_is_too_large(self, serve: Serve) -> None:
        assert (await (await serve()).post("/v1/score", data=form(wav(silence(125))))).status == 413

    async def test_a_caller_who_stops_sending_is_told_so(self, serve: Serve) -> None:
        client = await serve(idle_seconds=0.05)
        sent = asyncio.Event()

        async def stalls() -> AsyncIterator[bytes]:
            yield b"--b\r\n"
            await sent.wait()

        answer = await client.post("/v1/score", data=stalls(), headers={"Content-Type": "multipart/form-data; boundary=b"})
        sent.set()
        assert answer.status == 408

    async def test_an_unknown_path_and_method_are_answered_in_json(self, serve: Serve) -> None:
        client = await serve()
        assert (await (await client.get("/nope")).json())["error"] == "not_found"
        assert (await client.get("/v1/score")).status == 405


class TestToken:
    async def test_without_the_token_only_health_is_told(self, serve: Serve) -> None:
        client = await serve(scorer_token="s3cret")
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/v1/model")).status == 401
        assert (await client.get("/v1/model", headers={"Authorization": "Bearer wrong"})).status == 401
        assert (await client.get("/v1/model", headers={"Authorization": "Bearer s3cret"})).status == 200


class TestBatch:
    async def test_each_call_is_judged_on_its_own(self, serve: Serve) -> None:
        calls = [METADATA, METADATA | {"call_id": "c2"}, {"call_id": "c3"}, METADATA | {"call_id": "c4"}]
        answer = await (await serve()).post("/v1/score/batch", data=batch(calls, CALL, b"no audio " * 99, CALL, b""))
        assert answer.status == 200
        results = (await answer.json())["results"]
        assert [result["call_id"] for result in results] == ["c1", "c2", "c3", "c4"]
        assert results[0]["outcome"] == "SCORED"
        assert (results[1]["error"]["status"], results[1]["error"]["code"]) == (415, "not_audio")
        assert results[2]["error"]["status"] == 422
        assert results[3]["reason"] == "empty"

    @pytest.mark.parametrize(("calls", "audios", "status"), [(2, 1, 400), (1, 2, 400), (0, 0, 422), (65, 0, 422)])
    async def test_as_many_recordings_as_calls_are_wanted(self, serve: Serve, calls: int, audios: int, status: int) -> None:
        answer = await (await serve()).post("/v1/score/batch", data=batch([METADATA] * calls, *[b""] * audios))
        assert answer.status == status


class TestPlaces:
    async def test_above_its_places_it_is_busy_and_says_when_to_come_back(self, serve: Serve) -> None:
        client = await serve(scorer_jobs=1, scorer_waiting=0)
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            asked.set()
            yield b"--b\r\n"
            await go_on.wait()

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        first = asyncio.create_task(_post(client, slow(), headers))
        await asked.wait()
        await _until_ready(client, jobs=1)
        second = await client.post("/v1/score", data=form())
        assert second.status == 503
        assert int(second.headers["Retry-After"]) >= 1
        go_on.set()
        await first
        assert (await client.post("/v1/score", data=form())).status == 200

    async def test_it_is_alive_but_not_ready_until_the_models_are_loaded(self, serve: Serve, deaf_engine: Engine) -> None:
        loaded = threading.Event()

        def load() -> Engine:
            loaded.wait(30)
            return deaf_engine

        client = await serve(ready=False, load=load)
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/readyz")).status == 503
        answer = await client.post("/v1/score", data=form())
        assert (answer.status, "Retry-After" in answer.headers) == (503, True)
        loaded.set()
        await _until_ready(client)


async def test_the_model_is_described_with_its_rubric(serve: Serve) -> None:
    body = await (await (await serve()).get("/v1/model")).json()
    assert (body["model_version"], body["asr_model"]) == ("rubric-1+none", "none")
    assert body["asr_detail"]
    assert sum(item["points"] for item in body["rubric"]["items"]) == 100


async def _post(client: Client, data: Any, headers: dict[str, str]) -> int:
    async with ClientSession() as session, session.post(client.make_url("/v1/score"), data=data, headers=headers) as answer:
        return answer.status


async def _until_ready(client: Client, jobs: int = 0) -> None:
    """Ask until it says so: another process would have no other way to know."""
    async with asyncio.timeout(60):
        while (await (await client.get("/readyz")).json()).get("jobs", -1) < jobs:
            continue
