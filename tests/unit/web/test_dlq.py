"""Who gets to see dead letters, how they are asked for, and what a bad question is answered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.unit.runtime.test_letter_reading import read_back
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter, LetterRow
from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.runtime.letter_reading import StoredLetter
from voc_stream.settings import load_settings
from voc_stream.web.dlq import pages

T = TypeVar("T")
KNOWN = {"Authorization": "Bearer s3cret"}
Client = TestClient[web.Request, web.Application]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROW = LetterRow(
    id=9, state="open", topic="calls.raw", partition=3, offset=17, stage="enrich", tenant_id="acme", call_id="c-1", error_type="malformed",
    reason="why", fingerprint="f", retries=0, first_failed_at=NOON, last_failed_at=NOON, cut_from=None, requeues=0, requeued_from=None,
    requeued_at=None,
)  # fmt: skip


class Letters:
    """Stands for the store: notes what is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.fails: OutsideError | None = None
        self.letter: StoredLetter | None = read_back(b'{"call_id": "c-1"}', key=b"\xff", headers=[("trace", None)])

    async def find(self, where: LetterFilter, limit: int, after: int | None) -> list[LetterRow]:
        return self._noted([ROW], where, limit, after)

    async def groups(self, where: LetterFilter, limit: int) -> list[Any]:
        return self._noted([], where, limit)

    async def show(self, letter_id: int, actor: str) -> StoredLetter | None:
        return self._noted(self.letter, letter_id, actor)

    async def discard(self, where: LetterFilter, limit: int, actor: str) -> int:
        return self._noted(2, where, limit, actor)

    def _noted(self, answer: T, *asked: Any) -> T:
        self.asked.append(asked)
        if self.fails is not None:
            raise self.fails
        return answer


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
async def client(letters: Letters) -> AsyncIterator[Client]:
    app = web.Application()
    for (method, path), page in pages(cast("DeadLetters", letters), load_settings(operator_token="s3cret")).items():
        app.router.add_route(method, path, page)
    async with TestClient(TestServer(app)) as served:
        yield served


@pytest.mark.parametrize(("method", "path"), [("GET", "/dlq"), ("GET", "/dlq/groups"), ("GET", "/dlq/9"), ("POST", "/dlq/discard")])
async def test_without_the_operator_s_token_nobody_sees_or_does_anything(client: Client, letters: Letters, method: str, path: str) -> None:
    answer = await client.request(method, path, headers={"Authorization": "Bearer other"})
    assert (answer.status, letters.asked) == (401, [])


async def test_letters_are_listed_by_all_that_can_be_asked(client: Client, letters: Letters) -> None:
    query = "id=9&id=8&fingerprint=f&topic=calls.raw&stage=enrich&tenant_id=acme&since=2026-11-22T12:00:00Z&state=open&limit=1&after=10"
    answer = await client.get(f"/dlq?{query}", headers=KNOWN)
    told = await answer.json()
    assert (told["letters"][0]["id"], told["letters"][0]["last_failed_at"], told["next"]) == (9, "2026-11-22T12:00:00+00:00", 9)
    where = LetterFilter(ids=(9, 8), fingerprint="f", topic="calls.raw", stage="enrich", tenant_id="acme", since=NOON, state="open")
    assert letters.asked == [(where, 1, 10)]


async def test_the_last_page_names_no_next(client: Client) -> None:
    assert (await (await client.get("/dlq", headers=KNOWN)).json())["next"] is None


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "state=gone", "since=2026-11-22T12:00:00", "since=yesterday", "id=0", "id=x", "after=-1", "topic=", "all=1"],
)
async def test_a_bad_question_is_refused_with_the_reason(client: Client, letters: Letters, query: str) -> None:
    answer = await client.get(f"/dlq?{query}", headers=KNOWN)
    assert (answer.status, letters.asked) == (400, [])
    assert len(await answer.text()) > 10


async def test_a_letter_is_shown_with_text_as_text_and_bytes_as_base64(client: Client, letters: Letters) -> None:
    told = await (await client.get("/dlq/9", headers=KNOWN)).json()
    assert (told["value"], told["key"], told["headers"]) == ({"text": '{"call_id": "c-1"}'}, {"base64": "/w=="}, [["trace", None]])
    assert (told["topic"], told["partition"], told["offset"], told["stage"]) == ("notes", 3, 17, "score")
    assert letters.asked == [(9, "operator-token")]


async def test_a_letter_that_is_not_there_is_not_found(client: Client, letters: Letters) -> None:
    letters.letter = None
    assert (await client.get("/dlq/9", headers=KNOWN)).status == 404


async def test_letters_are_discarded_in_the_operator_s_name(client: Client, letters: Letters) -> None:
    answer = await client.post("/dlq/discard", headers=KNOWN, json={"fingerprint": "f", "limit": 500})
    assert (await answer.json(), letters.asked) == ({"discarded": 2}, [(LetterFilter(fingerprint="f"), 500, "operator-token")])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"{}", b'{"state": "open"}', b'{"ids": []}', b'{"ids": ["9"]}', b'{"fingerprnt": "f"}', b"[" * 9999]
)
async def test_what_names_no_letters_discards_none(client: Client, letters: Letters, body: bytes) -> None:
    answer = await client.post("/dlq/discard", headers=KNOWN, data=body)
    assert (answer.status, letters.asked) == (400, [])


@pytest.mark.parametrize(("fails", "status"), [(OutageError("postgres", "down"), 503), (RejectedError("postgres", "bad value"), 400)])
async def test_what_postgresql_says_is_passed_on(client: Client, letters: Letters, fails: OutsideError, status: int) -> None:
    letters.fails = fails
    answer = await client.get("/dlq", headers=KNOWN)
    assert (answer.status, await answer.text()) == (status, f"{fails}\n")
