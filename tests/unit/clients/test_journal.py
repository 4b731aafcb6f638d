"""Orders about people outside of PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.object_store import FakeObjectStore
from voc_stream.clients.journal import ForgottenEntry, RestrictionEntry, forgotten_journal, restriction_journal
from voc_stream.errors import RejectedError

AT = datetime(2026, 11, 22, 3, tzinfo=UTC)


class Bucket(FakeObjectStore):
    async def keys(self, prefix: str, after: str = "") -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix) and key > after)


def entry(customer: str, until: datetime) -> ForgottenEntry:
    return ForgottenEntry("acme", customer, ("700000000000001",), until)


async def test_entries_come_back_from_a_moment_on_the_oldest_first() -> None:
    bucket: Any = Bucket()
    journal = forgotten_journal(bucket)
    entries = [entry(f"pseudonym-{hours}", AT + timedelta(hours=hours)) for hours in (5, 0, 30, -1)]
    for each in entries:
        await journal.write(each, each.until)
    assert [each.customer for each in await journal.since(AT)] == ["pseudonym-0", "pseudonym-5", "pseudonym-30"]
    assert (await journal.since(AT))[0] == entries[1]


async def test_each_journal_is_its_own() -> None:
    bucket: Any = Bucket()
    await restriction_journal(bucket).write(RestrictionEntry("do_not_score", "acme", "call", "7", "objected", "jane"), AT)
    assert await forgotten_journal(bucket).since(AT - timedelta(days=1)) == []
    (found,) = await restriction_journal(bucket).since(AT)
    assert found.reason == "objected"


async def test_what_is_no_entry_is_named() -> None:
    bucket: Any = Bucket()
    await bucket.put_bytes("forgotten/2026/11/22T040000.json", b"{", content_type="application/json", metadata={}, tags={})
    with pytest.raises(RejectedError, match=r"forgotten/2026/11/22T040000\.json cannot be read"):
        await forgotten_journal(bucket).since(AT)
