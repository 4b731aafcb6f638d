"""Keys of PII_KEYS change while calls come in; an interrupted rotation is finished by the next one."""

from __future__ import annotations

import asyncio

import pytest

from tests.calls import enriched, enriched_call
from tests.databases import KEYS
from tests.integration.privacy.conftest import Kept
from voc_stream import rotate as commands
from voc_stream.clients.call_privacy import CallPrivacy
from voc_stream.errors import OutageError
from voc_stream.security.vault import Vault, in_customer_pii
from voc_stream.services.rotation import Left, Rotation
from voc_stream.settings import Settings

MANY = 25


def vault_of(settings: Settings, current: str, *only: str) -> Vault:
    keys = settings.encryption_keys
    return Vault({key_id: keys[key_id] for key_id in only or keys}, current)


async def call(kept: Kept, number: int) -> None:
    call_id = f"7{number:014}"
    sealed = kept.vault.seal(f"name=Jane Roe{number}", bound_to=("calls.raw", "udfs", call_id))
    await kept.store.apply([enriched(enriched_call(call_id), customer=f"+1415555{number:04}", sealed_udfs=sealed)])


async def test_everything_is_sealed_by_the_new_key_while_calls_come_in_and_the_old_one_can_go(kept: Kept) -> None:
    for number in range(MANY):
        await call(kept, number)
    old_row = f"7{0:014}"
    async with kept.db.connection() as connection:  # as it was written before there were customers' keys
        parties = kept.vault.seal("+14155550000", bound_to=in_customer_pii("acme", "other_parties", old_row))
        await connection.execute("UPDATE customer_pii SET other_parties = $2, udfs = NULL, key_id = 'k2' WHERE call_id = $1", old_row, parties)
    rotation = Rotation(kept.db, vault_of(kept.settings, "k1"), batch=10)
    assert await rotation.left() == Left(keys=MANY, rows=1, letters=0)

    told: list[tuple[str, int, int]] = []

    def interrupted(what: str, done: int, total: int) -> None:
        told.append((what, done, total))
        if len(told) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rotation.run(interrupted)
    assert (await rotation.left()).keys == MANY - 10
    async with asyncio.TaskGroup() as together:
        together.create_task(rotation.run(lambda what, done, total: told.append((what, done, total))))
        together.create_task(call(kept, MANY))
    assert told[1] == ("customer keys", 10, MANY - 10)
    await rotation.run(lambda *_: None)
    assert (await rotation.left()).total == 0

    only_new = CallPrivacy(kept.db, vault_of(kept.settings, "k1", "k1"))
    assert await only_new.names(f"7{MANY - 1:014}", "") == [f"Jane Roe{MANY - 1}"]
    with pytest.raises(OutageError, match="k1"):
        await CallPrivacy(kept.db, vault_of(kept.settings, "k2", "k2")).names(f"7{1:014}", "")


async def test_the_command_tells_how_far_it_is_and_what_may_be_dropped(kept: Kept) -> None:
    await call(kept, 1)
    said: list[str] = []
    own = kept.settings.model_copy(update={"pii_key_id": "k1"})
    assert await commands.rotate(own, said.append, batch=500) == 0
    assert said[0] == "customer keys: 1 of 1"
    assert "PII_KEYS may lose: k2" in said[1]
    assert said[-1] == "rotate-keys: keys=1 rows=0 letters=0 left=0"
    assert list(KEYS) == ["k1", "k2"]
