"""Stored dead letters: `dead_letter` in PostgreSQL, originals sealed (spec sections 5 and 6, ADR 0016)."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from voc_stream.clients.letter_rows import Group, LetterFilter, LetterRow, conditions
from voc_stream.clients.postgres import Connection, Database
from voc_stream.runtime.letter_reading import AnyHeaders, StoredLetter
from voc_stream.security.vault import Vault, in_dead_letter

_INSERT = """
INSERT INTO dead_letter (topic, partition, "offset", dlq_topic, dlq_partition, dlq_offset, written_at, stage, tenant_id, call_id, customer_ref,
                         error_type, reason, stack, fingerprint, retries, first_failed_at, last_failed_at, cut_from,
                         original_key, original_value, original_headers, requeues, requeued_from)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
ON CONFLICT (dlq_topic, dlq_partition, dlq_offset, written_at) DO NOTHING
"""
_ROW = """id, state, topic, partition, "offset", stage, tenant_id, call_id, error_type, reason, fingerprint, retries, first_failed_at, last_failed_at,
          cut_from, requeues, requeued_from, requeued_at"""
_GET = f"""
SELECT {_ROW}, dlq_topic, dlq_partition, dlq_offset, written_at, stack, original_key, original_value, original_headers
FROM dead_letter WHERE id = $1
"""  # noqa: S608 - names of our own
_AUDIT = """
INSERT INTO audit_log (actor, action, subject, tenant_id, before, after)
SELECT $1, $2, 'dead letter ' || l.id, l.tenant_id, jsonb_build_object('state', l.was), jsonb_build_object('state', l.state)
FROM unnest($3::bigint[], $4::varchar[], $5::varchar[], $6::varchar[]) AS l (id, tenant_id, was, state)
"""
_EXPIRE = """
WITH old AS (SELECT id FROM dead_letter WHERE written_at < $1 ORDER BY written_at LIMIT $2),
gone AS (DELETE FROM dead_letter USING old WHERE dead_letter.id = old.id RETURNING 1)
SELECT count(*) FROM gone
"""
_OF_CUSTOMER = "tenant_id = $1 AND ($2::varchar[] IS NULL OR call_id = ANY($2) OR customer_ref = ANY($3::varchar[]))"
_COUNT_CUSTOMER = f"SELECT count(*) FROM dead_letter WHERE {_OF_CUSTOMER}"  # noqa: S608
_FORGET = f"WITH gone AS (DELETE FROM dead_letter WHERE {_OF_CUSTOMER} RETURNING 1) SELECT count(*) FROM gone"  # noqa: S608
# What is sealed of a letter.
COLUMNS = ("original_key", "original_value", "original_headers")
# Deleted in one statement; more takes another.
_EXPIRED_AT_ONCE = 5000


class DeadLetters:
    """Keeps letters. Its methods raise `OutsideError`s; all may be repeated.

    Args:
        db: the pool.
        vault: seals the originals and opens them.
    """

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def put(self, letters: Sequence[StoredLetter]) -> None:
        """Store letters; one that is there already stays as it is, with what became of it.

        Raises:
            NoKeyError: there is no key to seal with.
            RejectedError: PostgreSQL cannot hold one of them; none was stored.
        """
        rows = [self._sealed(letter) for letter in letters]
        async with self._db.transaction() as connection:
            await connection.executemany(_INSERT, rows)

    async def find(self, where: LetterFilter, limit: int, after: int | None = None) -> list[LetterRow]:
        """Return letters without their originals, newest first.

        Args:
            where: which.
            limit: how many at most.
            after: the id of the last one that was told before.
        """
        condition, values = conditions(where)
        statement = f"""
            SELECT {_ROW} FROM dead_letter WHERE {condition} AND (${len(values) + 1}::bigint IS NULL OR id < ${len(values) + 1})
            ORDER BY id DESC LIMIT ${len(values) + 2}
        """  # noqa: S608 - conditions of our own, values as parameters
        async with self._db.connection() as connection:
            return [LetterRow(**row) for row in await connection.fetch(statement, *values, after, limit)]

    async def count(self, where: LetterFilter) -> int:
        """Return how many letters there are."""
        condition, values = conditions(where)
        async with self._db.connection() as connection:
            count: int = await connection.fetchval(f"SELECT count(*) FROM dead_letter WHERE {condition}", *values)  # noqa: S608
            return count

    async def groups(self, where: LetterFilter, limit: int) -> list[Group]:
        """Return what the letters have in common, by fingerprint, the latest failure first."""
        condition, values = conditions(where)
        statement = f"""
            SELECT fingerprint, min(stage) AS stage, min(error_type) AS error_type, min(reason) AS reason, count(*) AS count,
                   count(*) FILTER (WHERE state = 'open') AS open, count(DISTINCT tenant_id) AS tenants,
                   min(first_failed_at) AS first, max(last_failed_at) AS last
            FROM dead_letter WHERE {condition} GROUP BY fingerprint ORDER BY last DESC, fingerprint LIMIT ${len(values) + 1}
        """  # noqa: S608
        async with self._db.connection() as connection:
            return [Group(**row) for row in await connection.fetch(statement, *values, limit)]

    async def get(self, letter_id: int) -> StoredLetter | None:
        """Return a letter with its original, opened; None if there is none.

        Raises:
            NoKeyError: the key that sealed it is not among ours.
            SealError: what is stored was altered.
        """
        async with self._db.connection() as connection:
            row = await connection.fetchrow(_GET, letter_id)
        return self._opened(dict(row)) if row is not None else None

    async def show(self, letter_id: int, actor: str) -> StoredLetter | None:
        """Return what `get` does, once the audit log says who looked at it.

        Raises:
            NoKeyError: the key that sealed it is not among ours.
            SealError: what is stored was altered.
        """
        letter = await self.get(letter_id)
        if letter is not None:
            async with self._db.connection() as connection:
                await audit_letters(connection, actor, "dead letter shown", [(letter_id, letter.tenant_id, letter.state, letter.state)])
        return letter

    async def discard(self, where: LetterFilter, limit: int, actor: str) -> int:
        """Mark open letters as discarded, oldest first, each with its row in the audit log.

        Args:
            where: which; what is not open is left alone.
            limit: how many at most.
            actor: for the audit log.

        Returns:
            How many were.
        """
        condition, values = conditions(where)
        statement = f"""
            WITH chosen AS (SELECT id FROM dead_letter WHERE {condition} AND state = 'open' ORDER BY id LIMIT ${len(values) + 1} FOR UPDATE)
            UPDATE dead_letter SET state = 'discarded' FROM chosen WHERE dead_letter.id = chosen.id RETURNING dead_letter.id, tenant_id
        """  # noqa: S608
        async with self._db.transaction() as connection:
            rows = await connection.fetch(statement, *values, limit)
            await audit_letters(connection, actor, "dead letter discarded", [(row["id"], row["tenant_id"], "open", "discarded") for row in rows])
        return len(rows)

    async def expire(self, before: datetime) -> int:
        """Delete letters that Kafka got before this; return how many."""
        deleted = 0
        while True:
            async with self._db.connection() as connection:
                gone: int = await connection.fetchval(_EXPIRE, before, _EXPIRED_AT_ONCE)
            deleted += gone
            if gone < _EXPIRED_AT_ONCE:
                return deleted

    async def count_of(self, tenant: str, calls: Collection[str] | None, references: Collection[str]) -> int:
        """Return how many letters `forget` would delete."""
        async with self._db.connection() as connection:
            count: int = await connection.fetchval(_COUNT_CUSTOMER, tenant, None if calls is None else list(calls), list(references))
            return count

    async def forget(self, tenant: str, calls: Collection[str] | None, references: Collection[str]) -> int:
        """Delete the letters about a customer of a tenant.

        Args:
            tenant: whose.
            calls: the customer's; None: all letters of the tenant.
            references: the customer's pseudonyms.

        Returns:
            How many were deleted.
        """
        async with self._db.connection() as connection:
            count: int = await connection.fetchval(_FORGET, tenant, None if calls is None else list(calls), list(references))
            return count

    def _sealed(self, letter: StoredLetter) -> tuple[object, ...]:
        reference = self._vault.reference(letter.customer, letter.tenant_id) if letter.customer and letter.tenant_id else None
        return (
            letter.topic, letter.partition, letter.offset, letter.dlq_topic, letter.dlq_partition, letter.dlq_offset, letter.written_at,
            letter.stage, letter.tenant_id, letter.call_id, reference, letter.error_type, letter.reason, letter.stack, letter.fingerprint,
            letter.retries, letter.first_failed_at, letter.last_failed_at, letter.cut_from,
            self._seal(letter, "original_key", letter.key), self._seal(letter, "original_value", letter.value),
            self._seal(letter, "original_headers", _packed(letter.headers)), letter.requeues, letter.requeued_from,
        )  # fmt: skip

    def _seal(self, letter: StoredLetter, column: str, data: bytes | None) -> str | None:
        place = in_dead_letter(column, letter.dlq_topic, letter.dlq_partition, letter.dlq_offset)
        # Latin-1 makes a text of any bytes, and of JSON one of the same length.
        return None if data is None else self._vault.seal(data.decode("latin-1"), bound_to=place)

    def _opened(self, row: dict[str, Any]) -> StoredLetter:
        place = (row["dlq_topic"], row["dlq_partition"], row["dlq_offset"])
        original = {}
        for column in ("original_key", "original_value", "original_headers"):
            sealed = row.pop(column)
            original[column] = None if sealed is None else self._vault.open(sealed, bound_to=in_dead_letter(column, *place)).encode("latin-1")
        del row["requeued_at"]
        return StoredLetter(
            **row, key=original["original_key"], value=original["original_value"], headers=_unpacked(original["original_headers"] or b"[]")
        )


async def audit_letters(connection: Connection, actor: str, action: str, changes: Sequence[tuple[int, str | None, str, str]]) -> None:
    """Write an audit row for each letter, in the transaction that changes it.

    Args:
        connection: in that transaction.
        actor: who does it.
        action: what is done.
        changes: id, tenant, state before, state after.
    """
    columns = [list(column) for column in zip(*changes, strict=True)] or [[], [], [], []]
    await connection.execute(_AUDIT, actor, action, *columns)


def _packed(headers: AnyHeaders) -> bytes:
    return msgspec.json.encode([(name, None if value is None else base64.b64encode(value).decode()) for name, value in headers])


def _unpacked(data: bytes) -> AnyHeaders:
    headers = msgspec.json.decode(data, type=list[tuple[str, str | None]])
    return tuple((name, None if value is None else base64.b64decode(value)) for name, value in headers)
