"""What only PostgreSQL can show: transactions, waiting, encryption at rest, the view."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.calls import NOW, STARTED, at, audio_ready, downloaded, enriched, enriched_call, errored, scored, scoring_result
from voc_stream.clients.call_customers import Customer, read_customers
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.customer_keys import keys_by_id
from voc_stream.clients.postgres import Database
from voc_stream.errors import OutageError, RejectedError
from voc_stream.security.vault import SealError, Vault, in_customer_pii, on_the_wire
from voc_stream.settings import Settings
from voc_stream.stages.changes import Downloaded, Status

ID = enriched_call().call_id
PHONE, CARD = "+14155550123", "card=4111111111111111"
LATER = NOW + timedelta(hours=1)


def sealed_card(vault: Vault, call_id: str = ID) -> str:
    return vault.seal(CARD, bound_to=on_the_wire(call_id))


async def somebody_waits_for_a_lock(db: Database) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with db.connection() as connection:
        while not await connection.fetchval(waiting):  # the event is in the server
            await asyncio.sleep(0.01)


async def everything_stored(db: Database) -> str:
    async with db.connection() as connection:
        tables = [
            row[0]
            for row in await connection.fetch("SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'")
        ]
        rows = [str(row[0]) for table in tables for row in await connection.fetch(f'SELECT t::text FROM "{table}" AS t')]  # noqa: S608  # names from the catalogue
    assert "customer_pii" in tables
    return "\n".join(rows)


async def test_the_same_change_from_eight_workers_at_once_has_one_effect(store: CallStore, db: Database) -> None:
    await asyncio.gather(*(store.apply([enriched()]) for _ in range(8)))
    await asyncio.gather(*(store.apply([downloaded()]) for _ in range(8)))
    await asyncio.gather(*(store.apply([scored()]) for _ in range(8)))
    async with db.connection() as connection:
        counts = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM audio_asset), (SELECT count(*) FROM scoring_result), (SELECT count(*) FROM call_event)"
        )
    assert tuple(counts or ()) == (1, 1, 3)


async def test_workers_with_overlapping_calls_in_different_orders_do_not_block_each_other(store: CallStore) -> None:
    calls = [enriched_call(f"c{number}") for number in range(60)]
    await asyncio.gather(*(store.apply([enriched(call) for call in order]) for order in (calls, calls[::-1], calls[30:] + calls[:30])))
    await asyncio.gather(*(store.apply([downloaded(call) for call in order]) for order in (calls, calls[::-1], calls[30:] + calls[:30])))
    assert (await store.counts())[Status.DOWNLOADED] == 60


async def test_a_batch_with_a_bad_change_leaves_nothing(store: CallStore) -> None:
    bad = enriched_call("c2", service="\x00")
    with pytest.raises(RejectedError) as caught:
        await store.apply([enriched(enriched_call("c1")), enriched(bad)])
    assert caught.value.dependency == "postgres"
    assert await store.status("c1") is None


async def test_a_bad_change_spoils_nothing_for_those_that_come_at_the_same_time(store: CallStore) -> None:
    calls = [enriched_call(f"c{number}") for number in range(6)]
    await store.apply([enriched(call) for call in calls])
    bad = Downloaded(audio_ready(calls[3], sha256="longer than a digest " * 5), at())
    changes = [bad if call is calls[3] else downloaded(call) for call in calls]
    ends = await asyncio.gather(*(store.apply([change]) for change in changes), return_exceptions=True)
    assert [type(end) for end in ends] == [RejectedError if change is bad else type(None) for change in changes]
    assert (await store.counts())[Status.DOWNLOADED] == 5


async def test_a_row_that_is_held_delays_nobody_else(store: CallStore, db: Database) -> None:
    calls = [enriched_call(ID), *(enriched_call(f"c{number}") for number in range(5))]
    await store.apply([*(enriched(call) for call in calls), errored(ID)])
    async with store.due(1, LATER) as held:
        waiting = asyncio.create_task(store.apply([downloaded(held[0])]))
        await asyncio.gather(*(store.apply([downloaded(call)]) for call in calls[1:]))
        await somebody_waits_for_a_lock(db)
        assert not waiting.done()
    await waiting
    assert (await store.counts())[Status.DOWNLOADED] == 6


async def test_recordings_asked_for_at_the_same_time_come_to_those_who_asked(store: CallStore) -> None:
    calls = [enriched_call(f"c{number}") for number in range(6)]
    await store.apply([*(enriched(call) for call in calls), *(downloaded(call) for call in calls[::2])])
    found = await asyncio.gather(*(store.asset(call.call_id) for call in calls))
    assert [asset.call_id if asset else None for asset in found] == ["c0", None, "c2", None, "c4", None]


async def test_a_download_that_overtakes_the_end_of_its_redrive_waits_for_it(store: CallStore, db: Database) -> None:
    await store.apply([enriched(), errored(ID)])
    async with store.due(1, LATER) as calls:
        overtaking = asyncio.create_task(store.apply([downloaded(calls[0])]))
        await somebody_waits_for_a_lock(db)
        assert not overtaking.done()
    await overtaking
    assert await store.status(ID) is Status.DOWNLOADED


async def test_personal_data_is_in_no_column_in_the_clear(store: CallStore, db: Database, vault: Vault) -> None:
    await store.apply([enriched(customer=PHONE, sealed_udfs=sealed_card(vault)), downloaded(), scored(), errored("unknown")])
    text = await everything_stored(db)
    assert "v1.k2." in text
    for secret in (PHONE, PHONE.removeprefix("+"), CARD, "4111111111111111"):
        assert secret not in text


async def test_customer_data_opens_only_in_its_own_row_and_column(store: CallStore, db: Database, vault: Vault) -> None:
    await store.apply([enriched(customer=PHONE, sealed_udfs=sealed_card(vault))])
    async with db.connection() as connection:
        row = await connection.fetchrow("SELECT tenant_id, key_id, other_parties, udfs FROM customer_pii")
        assert row is not None
        key = (await keys_by_id(connection, vault, [row["key_id"]]))[row["key_id"]]
        assert await connection.fetchval("SELECT kek_id FROM customer_key") == "k2"
    assert (row["tenant_id"], key.tenant_id, key.owner) == ("acme", "acme", vault.reference(PHONE, "acme"))
    assert key.open(row["other_parties"], bound_to=in_customer_pii("acme", "other_parties", ID)) == PHONE
    assert key.open(row["udfs"], bound_to=in_customer_pii("acme", "udfs", ID)) == CARD
    for elsewhere in (("globex", "udfs", ID), ("acme", "other_parties", ID), ("acme", "udfs", "c2")):
        with pytest.raises(SealError):
            key.open(row["udfs"], bound_to=in_customer_pii(*elsewhere))


async def test_udfs_that_were_sealed_for_another_call_are_rejected(store: CallStore, vault: Vault) -> None:
    with pytest.raises(RejectedError):
        await store.apply([enriched(sealed_udfs=sealed_card(vault, "another"))])
    assert await store.status(ID) is None


async def test_a_missing_key_is_an_outage_that_names_the_setting(db: Database, migrated: Settings) -> None:
    keyless = CallStore(db, Vault({}, ""), migrated)
    with pytest.raises(OutageError, match="PII_KEYS"):
        await keyless.apply([enriched(customer=PHONE)])
    await keyless.apply([enriched()])
    assert await keyless.status(ID) is Status.PENDING_DOWNLOAD


async def test_customer_data_moves_with_its_call_to_the_new_tenant(store: CallStore, db: Database, vault: Vault) -> None:
    await store.apply([enriched(enriched_call(tenant_id="unassigned"), customer=PHONE, sealed_udfs=sealed_card(vault))])
    async with store.unassigned(1, lambda _service, _skill: "globex"):
        pass
    async with db.connection() as connection:
        row = await connection.fetchrow("SELECT call.tenant_id, customer_ref FROM call JOIN customer_pii USING (call_id)")
        known = await read_customers(connection, vault, [ID])
    assert row is not None
    assert (row["tenant_id"], row["customer_ref"]) == ("globex", vault.reference(PHONE, "globex"))
    assert known == {ID: Customer(ID, "globex", PHONE, CARD)}


async def test_a_call_that_is_deleted_takes_its_personal_data_and_results_along(store: CallStore, db: Database, vault: Vault) -> None:
    await store.apply([enriched(customer=PHONE, sealed_udfs=sealed_card(vault)), downloaded(), scored()])
    async with db.connection() as connection:
        await connection.execute("DELETE FROM call")
        left = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM audio_asset), (SELECT count(*) FROM scoring_result), (SELECT count(*) FROM customer_pii)"
        )
    assert tuple(left or ()) == (0, 0, 0)


async def test_a_change_moves_updated_at_and_a_repeat_does_not(store: CallStore, db: Database) -> None:
    async def touched() -> object:
        async with db.connection() as connection:
            return await connection.fetchval("SELECT updated_at FROM call")

    await store.apply([enriched()])
    before = await touched()
    await store.apply([downloaded()])
    after = await touched()
    await store.apply([Downloaded(audio_ready(), at(77)), enriched(by=at(78))])
    assert before != after == await touched()


async def test_the_segments_of_a_conversation_have_one_score_weighted_by_talk_time(store: CallStore, db: Database) -> None:
    first, second, third = (enriched_call(f"s{n}", switch_call_id="sw-1", started_at=STARTED + timedelta(minutes=2 * n)) for n in range(3))
    alone, foreign = enriched_call("alone"), enriched_call("foreign", tenant_id="globex", switch_call_id="sw-1")
    await store.apply([enriched(call) for call in (third, first, second, alone, foreign)])
    await store.apply([downloaded(call) for call in (first, second, third)])
    await store.apply(
        [
            scored(scoring_result(first, score=10.0, duration=10.0)),
            scored(scoring_result(first, score=90.0, duration=30.0, model_version="rubric-2+none", scored_at=NOW + timedelta(hours=1))),
            scored(scoring_result(second, score=50.0, duration=90.0)),
            scored(scoring_result(third, outcome="NOT_SCORABLE", duration=500.0)),
        ]
    )
    async with db.connection() as connection:
        rows = await connection.fetch(
            "SELECT tenant_id, call_ids, segments, scored_segments, started_at, ended_at, score FROM conversation ORDER BY 2"
        )
    assert [tuple(row) for row in rows] == [
        ("acme", ["alone"], 1, 0, STARTED, STARTED + timedelta(seconds=90), None),
        ("globex", ["foreign"], 1, 0, STARTED, STARTED + timedelta(seconds=90), None),
        ("acme", ["s0", "s1", "s2"], 3, 2, STARTED, STARTED + timedelta(minutes=4, seconds=90), 60),
    ]


async def test_the_audit_log_cannot_be_altered(db: Database) -> None:
    async def tamper() -> None:
        async with db.transaction() as connection:
            await connection.execute("INSERT INTO audit_log (actor, action, subject) VALUES ('operator', 'requeue', 'all')")
            await connection.execute("DELETE FROM audit_log")

    with pytest.raises(RejectedError):
        await tamper()
