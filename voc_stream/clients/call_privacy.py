"""What a stage must know of a call before it works on it: whether it was forgotten, whether it may be scored, and whom it names (docs/privacy.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voc_stream.clients.call_customers import read_customers
from voc_stream.clients.call_originals import keep_original
from voc_stream.clients.postgres import NAME, Database
from voc_stream.clients.together import Together
from voc_stream.errors import OutageError, RejectedError
from voc_stream.events.calls import CallRecord
from voc_stream.security.vault import NoKeyError, SealError, Vault
from voc_stream.stages.redact import names_in

_STANDINGS = """
WITH given AS (
SELECT given.*, coalesce(nullif(given.reference, ''), call.customer_ref, '') AS customer
FROM unnest($1::int[], $2::varchar[], $3::varchar[], $4::timestamptz[], $5::varchar[]) AS given (place, call_id, tenant_id, started_at, reference)
LEFT JOIN call USING (call_id)
)
SELECT given.place,
       EXISTS (SELECT FROM forgotten AS f WHERE
           (f.scope = 'call' AND f.subject = given.call_id AND (f.tenant_id = given.tenant_id OR given.tenant_id = 'unassigned'))
           OR (f.tenant_id = given.tenant_id AND f.until >= given.started_at
               AND ((f.scope = 'tenant' AND f.subject = '') OR (f.scope = 'customer' AND f.subject = given.customer)))) AS forgotten,
       (SELECT r.reason FROM restriction AS r WHERE r.kind = 'do_not_score' AND r.lifted_at IS NULL AND r.tenant_id = given.tenant_id
           AND (r.scope, r.subject) IN (('tenant', ''), ('call', given.call_id), ('customer', given.customer)) ORDER BY r.id LIMIT 1) AS do_not_score
FROM given ORDER BY given.place
"""
_AGENT = "SELECT full_name FROM agent WHERE agent_id = $1 AND full_name IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds of a call.

    Attributes:
        forgotten: it must leave no trace.
        do_not_score: why it must be neither transcribed nor scored; None where it may.
    """

    forgotten: bool = False
    do_not_score: str | None = None


class CallPrivacy:
    """Asks and keeps. All methods raise `OutsideError`s only; a missing key counts as PostgreSQL's outage.

    Args:
        db: the pool.
        vault: opens customers' data, wraps their keys.
    """

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._asked: Together[CallRecord, Standing] = Together(self.standings)

    async def standing(self, call: CallRecord) -> Standing:
        """Return what holds of a call; those that are asked for at the same time share a statement."""
        return await self._asked.ask(call)

    async def standings(self, calls: Sequence[CallRecord], customers: Sequence[str] = ()) -> list[Standing]:
        """Return what holds of several.

        Args:
            calls: which.
            customers: the other party of each, where PostgreSQL does not know the calls yet.
        """
        try:
            told = customers or [""] * len(calls)
            references = [self._vault.reference(each, call.tenant_id) for each, call in zip(told, calls, strict=True)]
        except NoKeyError as error:
            raise OutageError(NAME, error.reason) from error
        columns = ([call.call_id for call in calls], [call.tenant_id for call in calls], [call.started_at for call in calls], references)
        async with self._db.connection() as connection:
            rows = await connection.fetch(_STANDINGS, list(range(len(calls))), *columns)
        return [Standing(row["forgotten"], row["do_not_score"]) for row in rows]

    async def names(self, call_id: str, agent_id: str) -> list[str]:
        """Return the names of the people of a call, as far as recorder and agents' table know them."""
        async with self._db.connection() as connection:
            try:
                found = await read_customers(connection, self._vault, [call_id])
            except NoKeyError as error:
                raise OutageError(NAME, error.reason) from error
            except SealError as error:
                raise RejectedError(NAME, error.reason) from error
            agent = await connection.fetchval(_AGENT, agent_id)
        return [*(names_in(found[call_id].udfs) if call_id in found else ()), *([agent] if agent else ())]

    async def keep_original(self, call_id: str, data: bytes) -> bool:
        """Keep a transcript as it was said, sealed; return whether the call is still known. Without any key (in dev) it is not kept."""
        if not self._vault.current_key_id:
            return True
        try:
            async with self._db.transaction() as connection:
                return await keep_original(connection, self._vault, call_id, data)
        except NoKeyError as error:
            raise OutageError(NAME, error.reason) from error
