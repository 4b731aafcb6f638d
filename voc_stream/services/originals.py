"""The transcript as it was said, for who has the scope `original`; whoever lets it be read writes the audit row (docs/privacy.md)."""

from __future__ import annotations

from voc_stream.clients.call_originals import read_original
from voc_stream.clients.postgres import Database
from voc_stream.security.vault import Vault


class Originals:
    """Reads transcripts before redaction.

    Args:
        db: the pool.
        vault: unwraps customers' keys.
    """

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def original_transcript(self, tenant_id: str, call_id: str) -> bytes | None:
        """Return the JSON of a call's transcript (`Transcript`) as the scorer told it.

        Returns:
            None if there is none, the call is another tenant's, or its customer was forgotten.

        Raises:
            NoKeyError: the key that wraps the customer's key is not among PII_KEYS.
            SealError: it was altered.
            OutsideError: PostgreSQL failed.
        """
        async with self._db.connection() as connection:
            return await read_original(connection, self._vault, tenant_id, call_id)
