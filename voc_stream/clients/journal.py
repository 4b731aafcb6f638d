"""Orders about people, written into S3 as well: what a restored PostgreSQL, which is older, cannot know (docs/adr/0033).

One object for each order, with pseudonyms and call ids only: the same that PostgreSQL keeps of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec

from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.restriction_store import Kind, Scope
from voc_stream.errors import RejectedError

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


class RestrictionEntry(msgspec.Struct, frozen=True):
    """A restriction that was put into force, or (`reason` is None) lifted.

    Attributes:
        kind: which.
        tenant_id: whose.
        scope: of what.
        subject: pseudonym or call_id; empty: the tenant as a whole.
        reason: the operator's words.
        actor: who did it.
    """

    kind: Kind
    tenant_id: str
    scope: Scope
    subject: str
    reason: str | None
    actor: str


Entry = TypeVar("Entry", bound=msgspec.Struct)


class Journal(Generic[Entry]):
    """Writes and reads. Its methods raise `OutsideError`s.

    Args:
        objects: S3, open.
        prefix: of its keys.
        kind: of its entries.
    """

    def __init__(self, objects: ObjectStore, prefix: str, kind: type[Entry]) -> None:
        self._objects = objects
        self._prefix = prefix
        self._kind = kind

    async def write(self, entry: Entry, at: datetime) -> None:
        """Keep an entry; a second one that says the same does no harm."""
        key = f"{self._prefix}{at.astimezone(UTC):%Y/%m/%dT%H%M%S.%fZ}-{uuid.uuid4().hex}.json"
        await self._objects.put_bytes(key, msgspec.json.encode(entry), content_type="application/json", metadata={}, tags={})

    async def since(self, moment: datetime) -> Sequence[Entry]:
        """Return the entries from a moment on, the oldest first."""
        after = f"{self._prefix}{moment.astimezone(UTC):%Y/%m/%dT%H%M%S}"
        return [await self._read(key) for key in await self._objects.keys(self._prefix, after)]

    async def _read(self, key: str) -> Entry:
        try:
            entry: Entry = msgspec.json.decode(await self._objects.get_bytes(key, _LARGEST), type=self._kind)
        except msgspec.MsgspecError as error:
            raise RejectedError("s3", f"{key} cannot be read") from error
        return entry


def forgotten_journal(objects: ObjectStore) -> Journal[ForgottenEntry]:
    """Return the journal of the forgotten."""
    return Journal(objects, "forgotten/", ForgottenEntry)


def restriction_journal(objects: ObjectStore) -> Journal[RestrictionEntry]:
    """Return the journal of legal holds and of what must not be scored."""
    return Journal(objects, "restrictions/", RestrictionEntry)
