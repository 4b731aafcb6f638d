"""The sentiment client against a service that answers in every way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import SecretStr

from tests.unit.clients.http_server import Scripted, scripted_server
from voc_stream.clients.sentiment import SentimentClient
from voc_stream.errors import OutageError, OutsideError, RejectedError, ThrottledError, TransientError, UnavailableError
from voc_stream.settings import Settings

TEXTS = ["one secret text", "two"]


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as script:
        yield script


@pytest.fixture
async def client(server: Scripted) -> AsyncIterator[SentimentClient]:
    made = SentimentClient(Settings(sentiment_url=server.url, sentiment_token=SecretStr("tok-en"), sentiment_timeout_seconds=5))
    await made.open()
    yield made
    await made.close()


async def test_texts_go_as_json_with_the_token(server: Scripted, client: SentimentClient) -> None:
    bodies: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({"scores": [0.5, -1], "model": "whatever"})

    server.answer = answer
    assert await client.score(TEXTS) == [0.5, -1.0]
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/sentiment")
    assert asked.headers["Authorization"] == "Bearer tok-en"
    assert asked.headers["Content-Type"] == "application/json"
    assert bodies == [{"texts": TEXTS}]


async def test_an_address_with_a_path_is_asked_as_it_is(server: Scripted) -> None:
    client = SentimentClient(Settings(sentiment_url=f"{server.url}/feelings/en"))
    await client.open()
    server.says(200, b'{"scores": [0, 0]}')
    await client.score(TEXTS)
    await client.close()
    assert server.asked[0].path == "/feelings/en"
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    "body",
    [
        b"", b"secret", b"[0.1, 0.2]", b'{"score": [0.1, 0.2]}', b'{"scores": null}', b'{"scores": "0.1"}', b'{"scores": [0.1]}',
        b'{"scores": [0.1, 0.2, 0.3]}', b'{"scores": [0.1, null]}', b'{"scores": [0.1, "0.2"]}', b'{"scores": [0.1, true]}',
        b'{"scores": [0.1, NaN]}', b'{"scores": [0.1, 1e400]}', b'{"scores": [0.1, Infinity]}', b'{"scores": [0.1, 1.001]}',
        b'{"scores": [0.1, -2]}', b'{"scores": [0.1, [0.2]]}', b'{"scores": [0.1, 0.2]', b"\xff\xfe", b"[" * 60_000,
        b'{"scores": [0.1, 0.2], "rest": "' + b"x" * 200_000 + b'"}',
    ],
)  # fmt: skip
async def test_an_answer_that_is_not_one_score_a_text_is_refused(server: Scripted, client: SentimentClient, body: bytes) -> None:
    server.says(200, body)
    with pytest.raises(TransientError) as caught:
        await client.score(TEXTS)
    assert "secret" not in str(caught.value)


async def test_an_endless_answer_is_cut_off(server: Scripted, client: SentimentClient) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65_536)
        except ConnectionError:
            return response

    server.answer = endless
    with pytest.raises(TransientError, match="longer than"):
        await client.score(TEXTS)


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (400, {}, RejectedError),
        (413, {}, RejectedError),
        (401, {}, ThrottledError),
        (429, {"Retry_After": "3"}, ThrottledError),
        (503, {}, UnavailableError),
        (500, {}, TransientError),
        (307, {"Location": "/elsewhere"}, ThrottledError),
        (204, {}, TransientError),
    ],
)
async def test_a_status_says_what_to_do(
    server: Scripted, client: SentimentClient, status: int, headers: dict[str, str], kind: type[OutsideError]
) -> None:
    server.says(status, b"", **headers)
    with pytest.raises(kind) as caught:
        await client.score(TEXTS)
    assert type(caught.value) is kind
    assert len(server.asked) == 1
    assert "tok-en" not in str(caught.value)


async def test_no_answer_in_time_is_a_fault_of_this_attempt(server: Scripted) -> None:
    async def stalled(_: web.Request) -> web.Response:
        await server.released.wait()
        return web.Response()

    server.answer = stalled
    client = SentimentClient(Settings(sentiment_url=server.url, sentiment_timeout_seconds=0.05))
    await client.open()
    with pytest.raises(TransientError, match="time-out"):
        await client.score(TEXTS)
    await client.close()


async def test_nobody_there_is_an_outage(unused_tcp_port: int) -> None:
    client = SentimentClient(Settings(sentiment_url=f"http://127.0.0.1:{unused_tcp_port}"))
    await client.open()
    with pytest.raises(OutageError):
        await client.probe()
    await client.close()
