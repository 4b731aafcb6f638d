"""Dead letters in PostgreSQL: once each, sealed, found again, and gone in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from voc_stream import dlq
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import Group, LetterFilter
from voc_stream.clients.postgres import Database
from voc_stream.errors import RejectedError
from voc_stream.runtime.letter_reading import StoredLetter
from voc_stream.security.vault import SealError, Vault
from voc_stream.settings import Settings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALL = LetterFilter()
CUSTOMER = "+14155550123"


def letter(number: int = 17, /, **fields: Any) -> StoredLetter:
    given: dict[str, Any] = {
        "topic": "calls.raw", "partition": 3, "offset": number, "dlq_topic": "calls.raw.dlq", "dlq_partition": 3, "dlq_offset": number,
        "written_at": NOON, "stage": "enrich", "tenant_id": "acme", "call_id": f"c-{number}", "error_type": "malformed",
        "reason": f"bad at {number}", "stack": "a.b:1", "fingerprint": "f1", "retries": 0, "first_failed_at": NOON,
        "last_failed_at": NOON + timedelta(minutes=number), "key": b"\xff\x00key", "value": b'{"name": "canary"}\x00\xff',
        "headers": (("trace", b"\x00canary\xff"), ("trace", None), ("empty", b"")), "customer": CUSTOMER,
    }  # fmt: skip
    return StoredLetter(**given | fields)


@pytest.fixture
def letters(db: Database, vault: Vault) -> DeadLetters:
    return DeadLetters(db, vault)


async def ids(letters: DeadLetters, **where: Any) -> list[int]:
    """Return the source's offsets of the letters that are found, newest first."""
    return [row.offset or 0 for row in await letters.find(LetterFilter(**where), 100)]


async def raw(db: Database, query: str, *values: object) -> Sequence[Any]:
    async with db.connection() as connection:
        return [tuple(row) for row in await connection.fetch(query, *values)]


async def test_a_letter_comes_back_as_it_was_byte_for_byte(letters: DeadLetters) -> None:
    await letters.put([letter(requeued_from=7, requeues=2, cut_from=9), letter(18, key=None, value=None, headers=(), partition=None, offset=None)])
    later, first = await letters.find(ALL, 10)
    assert await letters.get(first.id) == replace(letter(requeued_from=7, requeues=2, cut_from=9), id=first.id, customer=None)
    whole = await letters.get(later.id)
    assert whole is not None
    assert (whole.key, whole.value, whole.headers, whole.offset) == (None, None, (), None)
    assert await letters.get(later.id + 1) is None


async def test_a_letter_that_is_read_again_is_the_same_one_and_keeps_what_became_of_it(letters: DeadLetters) -> None:
    await letters.put([letter()])
    assert await letters.discard(LetterFilter(topic="calls.raw"), 10, "jane") == 1
    await letters.put([letter(), letter(18)])
    assert [(row.offset, row.state) for row in await letters.find(ALL, 10)] == [(18, "open"), (17, "discarded")]


async def test_a_topic_that_was_made_anew_has_letters_of_its_own(letters: DeadLetters) -> None:
    await letters.put([letter(), letter(written_at=NOON + timedelta(days=1))])
    assert await letters.count(ALL) == 2


async def test_nothing_of_the_original_lies_in_the_clear_and_what_is_sealed_opens_in_its_place_only(letters: DeadLetters, db: Database) -> None:
    await letters.put([letter(), letter(18)])
    [(rows,)] = await raw(db, "SELECT json_agg(dead_letter)::text FROM dead_letter")
    assert "canary" not in rows
    assert CUSTOMER not in rows
    first = (await letters.find(ALL, 10))[1].id
    await raw(db, "UPDATE dead_letter SET original_value = (SELECT original_value FROM dead_letter WHERE id <> $1) WHERE id = $1", first)
    with pytest.raises(SealError):
        await letters.get(first)


async def test_a_letter_that_postgresql_cannot_hold_is_refused_and_none_of_its_batch_is_stored(letters: DeadLetters) -> None:
    with pytest.raises(RejectedError):
        await letters.put([letter(), letter(18, retries=1 << 40)])
    assert await letters.count(ALL) == 0


async def test_letters_are_found_by_each_of_the_things_that_an_operator_knows(letters: DeadLetters) -> None:
    await letters.put([letter(1), letter(2, fingerprint="f2"), letter(3, topic="audio.ready"), letter(4, tenant_id=None), letter(5, stage="score")])
    rows = {row.offset: row.id for row in await letters.find(ALL, 10)}
    assert await ids(letters) == [5, 4, 3, 2, 1]
    assert await ids(letters, ids=[rows[2], rows[4]]) == [4, 2]
    assert await ids(letters, fingerprint="f2") == [2]
    assert await ids(letters, topic="audio.ready") == [3]
    assert await ids(letters, stage="score") == [5]
    assert await ids(letters, tenant_id="acme", topic="calls.raw") == [5, 2, 1]
    assert await ids(letters, since=NOON + timedelta(minutes=2), until=NOON + timedelta(minutes=4)) == [3, 2]
    assert await ids(letters, state="discarded") == []
    assert [row.offset for row in await letters.find(ALL, 2, after=rows[4])] == [3, 2]
    assert await letters.count(LetterFilter(fingerprint="f1")) == 4


async def test_the_same_failures_are_one_group(letters: DeadLetters) -> None:
    await letters.put([letter(1), letter(2, tenant_id="globex"), letter(3, tenant_id=None), letter(4, fingerprint="f2")])
    await letters.discard(LetterFilter(tenant_id="globex"), 10, "jane")
    later, earlier = await letters.groups(ALL, 10)
    assert later.fingerprint == "f2"
    assert earlier == Group(
        fingerprint="f1", stage="enrich", error_type="malformed", reason="bad at 1", count=3, open=2, tenants=2, first=NOON,
        last=NOON + timedelta(minutes=3),
    )  # fmt: skip


async def test_discarding_leaves_an_audit_row_for_each_letter_and_a_repetition_none(letters: DeadLetters, db: Database) -> None:
    await letters.put([letter(1), letter(2), letter(3, fingerprint="f2")])
    assert await letters.discard(LetterFilter(fingerprint="f1"), 1, "jane") == 1
    assert await letters.discard(LetterFilter(fingerprint="f1"), 10, "jane") == 1
    assert await letters.discard(LetterFilter(fingerprint="f1"), 10, "jane") == 0
    done = [row.id for row in await letters.find(LetterFilter(state="discarded"), 10)]
    rows = await raw(db, "SELECT actor, action, subject, tenant_id, before, after FROM audit_log WHERE subject = ANY($1) ORDER BY id", subjects(done))
    states = {"state": "open"}, {"state": "discarded"}
    assert [(row[:4], msgspec.json.decode(row[4]), msgspec.json.decode(row[5])) for row in rows] == [
        (("jane", "dead letter discarded", f"dead letter {letter_id}", "acme"), *states) for letter_id in sorted(done)
    ]


async def test_whoever_looks_at_an_original_is_in_the_audit_log(letters: DeadLetters, db: Database) -> None:
    await letters.put([letter()])
    (row,) = await letters.find(ALL, 10)
    assert await raw(db, "SELECT actor, action FROM audit_log WHERE subject = ANY($1)", subjects([row.id])) == []
    shown = await letters.show(row.id, "jane")
    assert shown is not None
    assert await raw(db, "SELECT actor, action FROM audit_log WHERE subject = ANY($1)", subjects([row.id])) == [("jane", "dead letter shown")]
    assert await letters.show(row.id + 1, "jane") is None


async def test_letters_that_are_too_old_are_deleted(letters: DeadLetters) -> None:
    await letters.put([letter(1), letter(2, written_at=NOON + timedelta(seconds=1))])
    assert await letters.expire(NOON + timedelta(seconds=1)) == 1
    assert await ids(letters) == [2]
    assert await letters.expire(NOON + timedelta(seconds=1)) == 0


async def test_a_customer_s_letters_are_forgotten_by_pseudonym_or_call_and_a_tenant_s_all(letters: DeadLetters, vault: Vault) -> None:
    others = [letter(3, customer=None), letter(4, tenant_id="globex"), letter(5, tenant_id=None)]
    await letters.put([letter(1), letter(2, customer=None), *others])
    reference = vault.reference(CUSTOMER, "acme")
    assert await letters.count_of("acme", {"c-2"}, {reference}) == 2
    assert await letters.forget("acme", {"c-2"}, {reference}) == 2
    assert await ids(letters) == [5, 4, 3]
    assert await letters.forget("acme", None, set()) == 1
    assert await ids(letters) == [5, 4]


async def command(settings: Settings, action: str, **options: Any) -> tuple[int, list[str]]:
    """Run the command; return its code and what it said."""
    said: list[str] = []
    none = dict.fromkeys(("fingerprint", "topic", "stage", "tenant", "since", "until", "state"))
    given: dict[str, Any] = {"ids": (), "limit": 50, "yes": False} | none | options
    return await dlq.run(settings, said.append, action=action, **given), said


async def test_the_command_lists_groups_shows_and_discards(letters: DeadLetters, migrated: Settings) -> None:
    await letters.put([letter(1), letter(2, reason="bad \x1b[31m"), letter(3, fingerprint="f2")])
    code, said = await command(migrated, "list", fingerprint="f1", limit=1)
    (row,) = await letters.find(LetterFilter(fingerprint="f1"), 1)
    assert said == [
        f"{row.id} open 2026-11-22T12:02:00Z calls.raw[3]@2 enrich malformed tenant=acme call=c-2 f1 bad \\x1b[31m",
        "dlq list: letters=2 shown=1",
    ]
    code, said = await command(migrated, "groups")
    assert (code, said[-1]) == (0, "dlq groups: groups=2")
    code, said = await command(migrated, "show", ids=(row.id, 10**9))
    assert (code, said[0], said[-1]) == (1, f"letter {row.id}: open", "1000000000: no such letter")
    assert '  value        {"name": "canary"}\\x00\\xff' in said
    assert await command(migrated, "discard") == (2, ["say which: ids, --fingerprint, --topic, --stage, --tenant, --since or --until"])
    assert await command(migrated, "discard", fingerprint="f1") == (0, ["2 open letters; nothing was discarded: --yes does it"])
    assert await command(migrated, "discard", fingerprint="f1", yes=True) == (0, ["dlq discard: letters=2"])
    assert await ids(letters, state="open") == [3]


def subjects(letter_ids: Sequence[int]) -> list[str]:
    return [f"dead letter {letter_id}" for letter_id in letter_ids]
