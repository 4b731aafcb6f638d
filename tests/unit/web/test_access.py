"""Who may operate."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from voc_stream.settings import load_settings
from voc_stream.web.access import operator


async def hello(_request: web.Request) -> web.Response:
    return web.Response(text="operated")


def served(token: str) -> TestClient[web.Request, web.Application]:
    app = web.Application()
    app.router.add_post("/page", operator(load_settings(operator_token=token), hello))
    return TestClient(TestServer(app))


async def test_who_knows_the_operator_s_token_may_operate() -> None:
    async with served("s3cret") as client:
        answer = await client.post("/page", headers={"Authorization": "Bearer s3cret"})
        assert (answer.status, await answer.text()) == (200, "operated")


@pytest.mark.parametrize("given", [None, "", "s3cret", "Bearer ", "Bearer s3cre", "bearer s3cret", "Basic s3cret", "Bearer \xe9"])
async def test_without_the_token_nobody_operates(given: str | None) -> None:
    async with served("s3cret") as client:
        answer = await client.post("/page", headers={"Authorization": given} if given is not None else {})
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_without_a_setting_the_page_is_closed_to_all_and_says_why() -> None:
    async with served("") as client:
        answer = await client.post("/page", headers={"Authorization": "Bearer "})
        assert (answer.status, await answer.text()) == (401, "closed: OPERATOR_TOKEN is not set\n")
