"""Who was forgotten, written into S3 as well: what a restored PostgreSQL, which is older, cannot know (docs/adr/0033).

One object for each `forget`, with pseudonyms and call ids only: the same that PostgreSQL's table `forgotten` keeps for ever.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from voc_stream.clients.object_store import ObjectStore
from voc_stream.errors import RejectedError

PREFIX = "forgotten/"
_LARGEST = 256 << 20


class ForgottenEntry(msgspec.Struct, frozen=True):
    """What was forgotten with whom.

    Attributes:
        tenant_id: whose, or who.
        customer: pseudonym; None: the tenant as a whole.
        calls: the customer's.
        until: what happened up to then.
    """

    tenant_id: str
    customer: str | None
    calls: tuple[str, ...]
    until: datetime


class ForgottenJournal:
    """Writes and reads. Its methods raise `OutsideError`s.

    Args:
        objects: S3, open.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def write(self, entry: ForgottenEntry) -> None:
        """Keep an entry; a second one of the same customer does no harm."""
        key = f"{PREFIX}{entry.until.astimezone(UTC):%Y/%m/%dT%H%M%S.%fZ}-{uuid.uuid4().hex}.json"
        await self._objects.put_bytes(key, msgspec.json.encode(entry), content_type="application/json", metadata={}, tags={})

    async def since(self, moment: datetime) -> Sequence[ForgottenEntry]:
        """Return the entries from a moment on, the oldest first."""
        after = f"{PREFIX}{moment.astimezone(UTC):%Y/%m/%dT%H%M%S}"
        return [await self._read(key) for key in await self._objects.keys(PREFIX, after)]

    async def _read(self, key: str) -> ForgottenEntry:
        try:
            return msgspec.json.decode(await self._objects.get_bytes(key, _LARGEST), type=ForgottenEntry)
        except msgspec.MsgspecError as error:
            raise RejectedError("s3", f"{key} cannot be read") from error
