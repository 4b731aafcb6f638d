"""Keys of PII_KEYS in turn: what the others wrap or seal is wrapped or sealed anew by the current one, while the workers run (docs/privacy.md).

How far it came stands in the rows themselves: an interrupted run is finished by the next one, and two at once share the work.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg

from voc_stream.clients.call_customers import read_customers, write_customers
from voc_stream.clients.dead_letter_store import COLUMNS
from voc_stream.clients.postgres import NAME, Connection, Database
from voc_stream.errors import OutageError, RejectedError
from voc_stream.security.data_key import DataKey
from voc_stream.security.vault import NoKeyError, SealError, Vault, in_dead_letter

_KEYS = """
SELECT key_id, tenant_id, owner, wrapped FROM customer_key WHERE wrapped IS NOT NULL AND kek_id <> $1 AND key_id > $2
ORDER BY key_id LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_WRAP = """
UPDATE customer_key SET kek_id = $1, wrapped = given.wrapped
FROM unnest($2::uuid[], $3::text[]) AS given (key_id, wrapped) WHERE customer_key.key_id = given.key_id AND customer_key.wrapped IS NOT NULL
"""
_ROWS = """
SELECT call_id FROM customer_pii WHERE $1 <> '' AND (other_parties LIKE 'v1.%' OR udfs LIKE 'v1.%') AND call_id > $2
ORDER BY call_id LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_LETTERS = """
SELECT id, dlq_topic, dlq_partition, dlq_offset, original_key, original_value, original_headers FROM dead_letter
WHERE original_headers NOT LIKE 'v1.' || $1 || '.%' AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_SEAL = "UPDATE dead_letter SET original_key = $2, original_value = $3, original_headers = $4 WHERE id = $1"
_LEFT = """
SELECT (SELECT count(*) FROM customer_key WHERE wrapped IS NOT NULL AND kek_id <> $1) AS keys,
       (SELECT count(*) FROM customer_pii WHERE other_parties LIKE 'v1.%' OR udfs LIKE 'v1.%') AS rows,
       (SELECT count(*) FROM dead_letter WHERE original_headers NOT LIKE 'v1.' || $1 || '.%') AS letters
"""

Tell = Callable[[str, int, int], None]
"""What (`customer keys`), how many are done, of how many."""


@dataclass(frozen=True, slots=True)
class Left:
    """What other keys than the current one still wrap or seal."""

    keys: int
    rows: int
    letters: int

    @property
    def total(self) -> int:
        """Return how much in all."""
        return self.keys + self.rows + self.letters


@dataclass(frozen=True, slots=True)
class _Work:
    """Rows of one kind: what is told of them, how to find the next ones in order, and what to do with them."""

    what: str
    total: int
    select: str
    first: object
    by: str
    act: Callable[[Connection, Sequence[asyncpg.Record]], Awaitable[None]]


class Rotation:
    """Rotates. Its methods raise `OutsideError`s; each may be repeated.

    Args:
        db: the pool.
        vault: holds all keys of PII_KEYS.
        batch: rows of one transaction: for so long a worker may wait for one of them.
    """

    def __init__(self, db: Database, vault: Vault, batch: int) -> None:
        self._db = db
        self._vault = vault
        self._batch = batch

    async def left(self) -> Left:
        """Return what is to be done."""
        async with self._db.connection() as connection:
            row = await connection.fetchrow(_LEFT, self._vault.current_key_id)
        return Left(*row) if row is not None else Left(0, 0, 0)

    async def run(self, tell: Tell) -> None:
        """Wrap and seal anew what is to be, batch by batch.

        Raises:
            OutageError: a key that something needs is not among PII_KEYS; it names it.
            RejectedError: a sealed text was altered.
        """
        left = await self.left()
        for work in (
            _Work("customer keys", left.keys, _KEYS, uuid.UUID(int=0), "key_id", self._wrap),
            _Work("rows of customer_pii", left.rows, _ROWS, "", "call_id", self._seal_rows),
            _Work("dead letters", left.letters, _LETTERS, 0, "id", self._seal_letters),
        ):
            await self._all(work, tell)

    async def _all(self, work: _Work, tell: Tell) -> None:
        after, done = work.first, 0
        while True:
            try:
                async with self._db.transaction() as connection:
                    rows = await connection.fetch(work.select, self._vault.current_key_id, after, self._batch)
                    if not rows:
                        return
                    await work.act(connection, rows)
            except NoKeyError as error:
                raise OutageError(NAME, error.reason) from error
            except SealError as error:
                raise RejectedError(NAME, error.reason) from error
            after, done = rows[-1][work.by], done + len(rows)
            tell(work.what, done, max(work.total, done))

    async def _wrap(self, connection: Connection, rows: Sequence[asyncpg.Record]) -> None:
        keys = [DataKey.unwrap(self._vault, str(row["key_id"]), row["tenant_id"], row["owner"], row["wrapped"]) for row in rows]
        wrapped = [key.wrapped(self._vault) for key in keys]
        await connection.execute(_WRAP, self._vault.current_key_id, [key.key_id for key in keys], wrapped)

    async def _seal_rows(self, connection: Connection, rows: Sequence[asyncpg.Record]) -> None:
        """Seal rows from before there were customers' keys by these."""
        customers = await read_customers(connection, self._vault, [row["call_id"] for row in rows])
        await write_customers(connection, self._vault, list(customers.values()))

    async def _seal_letters(self, connection: Connection, rows: Sequence[asyncpg.Record]) -> None:
        for row in rows:
            places = [in_dead_letter(column, row["dlq_topic"], row["dlq_partition"], row["dlq_offset"]) for column in COLUMNS]
            sealed = [
                None if row[column] is None else self._vault.seal(self._vault.open(row[column], bound_to=place), bound_to=place)
                for column, place in zip(COLUMNS, places, strict=True)
            ]
            await connection.execute(_SEAL, row["id"], *sealed)
