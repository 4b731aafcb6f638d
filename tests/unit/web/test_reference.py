"""The API's document: whole, made of the models, and readable without anybody else's script."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.web_desk import served, unit_desk
from voc_stream.web.app import make_app
from voc_stream.web.openapi import EVERYWHERE, WITH_CREDENTIAL
from voc_stream.web.reference import render


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return make_app(unit_desk().desk).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{method} {path}", operation) for path, methods in document["paths"].items() for method, operation in methods.items()]


def test_every_operation_tells_every_problem_that_it_may_answer_with(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        told = operation["responses"]
        wanted = {**EVERYWHERE, **(WITH_CREDENTIAL if operation.get("security") else {})}
        assert wanted.keys() <= told.keys(), name
        schema = {"$ref": "#/components/schemas/ProblemAnswer"}
        assert all(told[status]["content"]["application/problem+json"]["schema"] == schema for status in wanted), name
        assert operation.get("summary"), name


def test_no_form_is_named_that_the_document_does_not_hold(document: dict[str, Any]) -> None:
    assert set(re.findall(r"#/components/schemas/(\w+)", str(document))) <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "$defs" not in str(document)


def test_the_page_shows_every_operation_and_model_and_asks_nobody_else(document: dict[str, Any]) -> None:
    page = render(document)
    for name, _ in operations(document):
        method, path = name.split(" ")
        assert f"{method.upper()} {path}" in page
    assert all(f'id="{name}"' in page for name in document["components"]["schemas"])
    assert not re.search(r"https?://|<script|style=|onclick", page)


def test_what_a_document_holds_is_shown_as_text() -> None:
    hostile = {
        "info": {"title": "<script>"},
        "paths": {"/<b>": {"get": {"responses": {"200": {"description": "<i>"}}}}},
        "components": {"schemas": {}},
    }
    assert not re.search(r"<(script|b|i)>", render(hostile))


async def test_who_has_a_token_reads_both() -> None:
    door = unit_desk()
    async with served(door.desk) as client:
        for path, kind in (("/openapi.json", "application/json"), ("/docs", "text/html; charset=utf-8"), ("/docs.css", "text/css; charset=utf-8")):
            assert (await client.get(path)).status_code == 401
            answer = await client.get(path, headers=door.keyring.headers())
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
