"""Who gets to see dead letters, how they are asked for, and what a bad question is answered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import pytest

from tests.unit.runtime.test_letter_reading import read_back
from tests.web_desk import OTHER, TENANT, UnitDesk, asking
from voc_stream.clients.letter_rows import LetterFilter, LetterRow
from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.runtime.letter_reading import StoredLetter
from voc_stream.web.api.dlq import letters_of

T = TypeVar("T")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROW = LetterRow(
    id=9, state="open", topic="calls.raw", partition=3, offset=17, stage="enrich", tenant_id=TENANT, call_id="c-1", error_type="malformed",
    reason="why", fingerprint="f", retries=0, first_failed_at=NOON, last_failed_at=NOON, cut_from=None, requeues=0, requeued_from=None,
    requeued_at=None,
)  # fmt: skip


class Letters:
    """Stands for the store: notes what is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.fails: OutsideError | None = None
        self.letter: StoredLetter | None = replace(read_back(b'{"call_id": "c-1"}', key=b"\xff", headers=[("trace", None)]), id=9)

    async def find(self, where: LetterFilter, limit: int, after: int | None) -> list[LetterRow]:
        return self._noted([ROW], where, limit, after)

    async def groups(self, where: LetterFilter, limit: int) -> list[Any]:
        return self._noted([], where, limit)

    async def get(self, letter_id: int) -> StoredLetter | None:
        return self._noted(self.letter, letter_id)

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
async def client(door: UnitDesk, letters: Letters) -> AsyncIterator[httpx.AsyncClient]:
    """Asks as the operator of all tenants."""
    async with asking(door, letters_of, letters) as made:
        yield made


@pytest.mark.parametrize(("method", "path"), [("GET", "/dlq"), ("GET", "/dlq/groups"), ("GET", "/dlq/9"), ("POST", "/dlq/discard")])
async def test_only_an_operator_sees_or_does_anything(door: UnitDesk, client: httpx.AsyncClient, letters: Letters, method: str, path: str) -> None:
    for headers, status in ((door.keyring.headers("read", ""), 403), ({"Authorization": "Bearer other"}, 401)):
        answer = await client.request(method, path, headers=headers, json={"ids": [9]} if method == "POST" else None)
        assert (answer.status_code, letters.asked) == (status, [])


async def test_letters_are_listed_by_all_that_can_be_asked(client: httpx.AsyncClient, letters: Letters) -> None:
    query = f"id=9&id=8&fingerprint=f&topic=calls.raw&stage=enrich&tenant_id={TENANT}&since=2026-11-22T12:00:00Z&state=open&limit=1&after=10"
    told = (await client.get(f"/dlq?{query}")).json()
    assert (told["letters"][0]["id"], told["letters"][0]["last_failed_at"], told["next"]) == (9, "2026-11-22T12:00:00Z", 9)
    where = LetterFilter(ids=(9, 8), fingerprint="f", topic="calls.raw", stage="enrich", tenant_id=TENANT, since=NOON, state="open")
    assert letters.asked == [(where, 1, 10)]


async def test_the_last_page_names_no_next(client: httpx.AsyncClient) -> None:
    assert (await client.get("/dlq")).json()["next"] is None


async def test_an_operator_of_one_tenant_sees_and_discards_that_tenant_s_only(door: UnitDesk, client: httpx.AsyncClient, letters: Letters) -> None:
    bound = door.keyring.headers("operate")
    assert (await client.get("/dlq", headers=bound)).status_code == 200
    assert (await client.get("/dlq/groups", headers=bound)).status_code == 200
    assert (await client.post("/dlq/discard", headers=bound, json={"fingerprint": "f"})).status_code == 200
    assert {where.tenant_id for where, *_ in letters.asked} == {TENANT}
    for answer in (
        await client.get(f"/dlq?tenant_id={OTHER}", headers=bound),
        await client.post("/dlq/discard", headers=bound, json={"tenant_id": OTHER}),
    ):
        assert answer.status_code == 404
    assert len(letters.asked) == 3


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "state=gone", "since=2026-11-22T12:00:00", "since=yesterday", "since=1763812800", "id=0", "id=x", "after=-1",
     "topic=", "all=1"],
)  # fmt: skip
async def test_a_bad_question_is_refused_with_the_reason(client: httpx.AsyncClient, letters: Letters, query: str) -> None:
    answer = await client.get(f"/dlq?{query}")
    assert (answer.status_code, letters.asked) == (422, [])
    assert answer.json()["errors"][0]["where"].startswith(f"query.{query.partition('=')[0]}")


async def test_a_letter_is_shown_with_text_as_text_and_bytes_as_base64(door: UnitDesk, client: httpx.AsyncClient) -> None:
    told = (await client.get("/dlq/9")).json()
    assert (told["value"], told["key"], told["headers"]) == ({"text": '{"call_id": "c-1"}'}, {"base64": "/w=="}, [["trace", None]])
    assert (told["topic"], told["partition"], told["offset"], told["stage"]) == ("notes", 3, 17, "score")
    ((actor, action, subject, *_),) = door.db.audited
    assert (actor.startswith("token:"), action, subject) == (True, "dead letter shown", "dead letter 9")


async def test_a_letter_that_is_not_there_and_one_of_another_tenant_are_the_same_404(
    door: UnitDesk, client: httpx.AsyncClient, letters: Letters
) -> None:
    foreign = await client.get("/dlq/9", headers=door.keyring.headers("operate", OTHER))
    letters.letter = None
    missing = await client.get("/dlq/9")
    assert (foreign.status_code, foreign.json()) == (404, missing.json())
    assert door.db.audited == []


async def test_letters_are_discarded_in_the_operator_s_name(door: UnitDesk, client: httpx.AsyncClient, letters: Letters) -> None:
    answer = await client.post("/dlq/discard", json={"fingerprint": "f", "limit": 500})
    key = door.keyring.tokens["", "operate"].key
    assert (answer.json(), letters.asked) == ({"discarded": 2}, [(LetterFilter(fingerprint="f", state="open"), 500, f"token:{key}")])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"{}", b'{"state": "open"}', b'{"ids": []}', b'{"ids": ["9"]}', b'{"ids": null}', b'{"fingerprnt": "f"}']
)
async def test_what_names_no_letters_discards_none(client: httpx.AsyncClient, letters: Letters, body: bytes) -> None:
    answer = await client.post("/dlq/discard", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, letters.asked) == (422, [])


@pytest.mark.parametrize(("fails", "status"), [(OutageError("postgres", "down at 10.0.0.7"), 503), (RejectedError("postgres", "bad value"), 400)])
async def test_what_postgresql_says_becomes_a_problem_without_its_words(
    client: httpx.AsyncClient, letters: Letters, fails: OutsideError, status: int
) -> None:
    letters.fails = fails
    answer = await client.get("/dlq")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert "10.0.0.7" not in answer.text
