"""What every sentiment client does: the fake, and the real one against a service in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.fakes.sentiment import FakeSentiment, fake_score
from voc_stream.clients.sentiment import SentimentClient
from voc_stream.settings import Settings


async def answer(request: web.Request) -> web.Response:
    return web.json_response({"scores": [fake_score(text) for text in (await request.json())["texts"]]})


@pytest.fixture
async def service() -> AsyncIterator[SentimentClient]:
    app = web.Application()
    app.router.add_post("/v1/sentiment", answer)
    server = TestServer(app)
    await server.start_server()
    client = SentimentClient(Settings(sentiment_url=str(server.make_url("")).rstrip("/")))
    await client.open()
    yield client
    await client.close()
    await server.close()


@pytest.fixture(params=["fake", "service"])
def sentiment(request: pytest.FixtureRequest) -> FakeSentiment | SentimentClient:
    if request.param == "fake":
        return FakeSentiment()
    real: SentimentClient = request.getfixturevalue("service")
    return real


async def test_each_text_has_its_score_in_order(sentiment: FakeSentiment | SentimentClient) -> None:
    assert await sentiment.score(["a great call", "an awful call", "a call"]) == [1.0, -1.0, 0.0]


async def test_no_texts_have_no_scores(sentiment: FakeSentiment | SentimentClient) -> None:
    assert await sentiment.score([]) == []


@pytest.mark.parametrize("text", ["", "\x00", "tin nhắn great", "\ud800 great", "x" * 100_000])
async def test_any_text_may_be_asked(sentiment: FakeSentiment | SentimentClient, text: str) -> None:
    (score,) = await sentiment.score([text])
    assert score == fake_score(text)


async def test_a_healthy_service_passes_the_probe(sentiment: FakeSentiment | SentimentClient) -> None:
    await sentiment.probe()
