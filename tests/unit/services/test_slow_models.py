"""From the settings to annotations: a remote model that answers, refuses, lies, is slow or is not there."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web
from pydantic import ValidationError

from tests.fakes.sentiment import fake_score
from tests.unit.clients.http_server import Scripted, scripted_server
from voc_stream.events.voc import CallEvent, VocEvent
from voc_stream.services.annotator import Annotator
from voc_stream.services.slow_models import second_opinion
from voc_stream.settings import Settings

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TEXTS = ("It was a great call and I am happy.", "It was an awful call and I am sad about it.", "Quiero cancelar mi pedido, estoy muy enfadado.")


def events() -> list[VocEvent]:
    return [CallEvent(event_id=str(uuid.uuid4()), tenant_id="acme", timestamp=NOW, call_id="701", transcript=text) for text in TEXTS]


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as script:
        yield script


async def annotated(settings: Settings) -> list[tuple[float | None, str]]:
    annotator = Annotator.load(second=second_opinion(settings))
    await annotator.open()
    annotations = await annotator.annotate(events())
    await annotator.close()
    return [(annotation.sentiment, annotation.sentiment_source) for annotation in annotations]


async def test_a_remote_model_is_heard_and_only_about_english(server: Scripted) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        texts = (await request.json())["texts"]
        asked.extend(texts)
        return web.json_response({"scores": [fake_score(text) for text in texts]})

    server.answer = answer
    settings = Settings(sentiment_model="remote", sentiment_url=server.url, annotate_budget_seconds=30)
    assert await annotated(settings) == [(1.0, "remote"), (-1.0, "remote"), (None, "unscored:es")]
    assert asked == list(TEXTS[:2])


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, b"", "remote-down"),
        (503, b"", "remote-down"),
        (401, b"", "remote-down"),
        (413, b"", "remote-refused"),
        (200, b'{"scores": [0.5]}', "remote-down"),
        (200, b'{"scores": [0.5, true]}', "remote-down"),
        (200, b"<html>", "remote-down"),
    ],
)
async def test_without_a_usable_answer_the_rule_scores_and_the_source_says_why(server: Scripted, status: int, body: bytes, why: str) -> None:
    server.says(status, body)
    settings = Settings(sentiment_model="remote", sentiment_url=server.url, annotate_budget_seconds=30)
    (glad, first), (sad, second), foreign = await annotated(settings)
    assert glad is not None
    assert sad is not None
    assert glad > 0 > sad
    assert first == second == f"rule:{why}"
    assert foreign == (None, "unscored:es")


async def test_a_slow_remote_model_does_not_hold_the_window(server: Scripted) -> None:
    async def stalled(_: web.Request) -> web.Response:
        await server.released.wait()
        return web.Response()

    server.answer = stalled
    settings = Settings(sentiment_model="remote", sentiment_url=server.url, annotate_budget_seconds=0.05)
    assert [source for _, source in await annotated(settings)] == ["rule:remote-late", "rule:remote-late", "unscored:es"]


async def test_a_remote_model_that_is_not_there_is_down(unused_tcp_port: int) -> None:
    settings = Settings(sentiment_model="remote", sentiment_url=f"http://127.0.0.1:{unused_tcp_port}", annotate_budget_seconds=30)
    assert [source for _, source in await annotated(settings)] == ["rule:remote-down", "rule:remote-down", "unscored:es"]


def test_a_remote_model_needs_an_address() -> None:
    with pytest.raises(ValidationError, match="SENTIMENT_URL must be set when SENTIMENT_MODEL=remote"):
        Settings(sentiment_model="remote")
