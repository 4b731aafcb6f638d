"""Forgetting a tenant, a customer, and what is past its retention: gone from table and views, once and for all, and others untouched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.calls import enriched_call, scoring_result
from tests.composites import result
from tests.databases import own_schema, own_warehouse
from tests.voc import TIMESTAMP, action_value, call_value, store
from voc_stream import forget as commands
from voc_stream import migrate
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.composite_table import CompositeTable
from voc_stream.clients.postgres import Database
from voc_stream.clients.voc_feelings import VocFeelings
from voc_stream.clients.voc_removal import Selection, VocRemoval
from voc_stream.clients.voc_sums import VocSums
from voc_stream.errors import OutageError
from voc_stream.security.vault import Vault
from voc_stream.services.composite import Composite
from voc_stream.services.forgetting import Forgetting, Forgotten
from voc_stream.services.retention import DailyRetention
from voc_stream.settings import Settings
from voc_stream.stages.annotation import NOTHING, Annotation
from voc_stream.stages.composite import Weights
from voc_stream.stages.tenants import Retention

SAD = Annotation(-0.5, "rule", "en", "complaint", 0.75, "head")
EARLIER = TIMESTAMP - timedelta(days=40)
WINDOW = [
    (call_value(1, call_id="c1", customer_id="k1"), SAD),
    (action_value(2, call_id="c1"), NOTHING),
    (call_value(3, call_id="c2", customer_id="k2"), SAD),
    (call_value(4, call_id="c3", customer_id="k1", timestamp=EARLIER), SAD),
    (call_value(5, call_id="c1", customer_id="k1", tenant_id="globex"), SAD),
]


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Settings]:
    with own_schema(settings) as with_schema:
        async with own_warehouse(with_schema) as own:
            assert await migrate.run(own, lambda _line: None) == 0
            yield own


@pytest.fixture
async def db(own: Settings) -> AsyncIterator[Database]:
    db = Database(own)
    yield db
    await db.close()


@pytest.fixture
def forgetting(own: Settings, warehouse: Warehouse, db: Database) -> Forgetting:
    return Forgetting(warehouse, db, Vault(own.encryption_keys, own.pii_key_id), actor="jane", sleep=no_wait)


async def no_wait(_seconds: float) -> None:
    """No worker has to hear of it."""


async def left(warehouse: Warehouse) -> list[int]:
    """Return which of the window's events are stored, by their offsets, and make sure that the views say the same."""
    assert await warehouse.view_differences() == []
    return [row["kafka_offset"] for row in await warehouse.query("SELECT kafka_offset FROM voc_events ORDER BY kafka_offset")]


def audited(own: Settings) -> list[tuple[Any, ...]]:
    with psycopg.connect(own.postgres_dsn.get_secret_value()) as session:
        return session.execute("SELECT actor, action, subject, tenant_id, after FROM audit_log ORDER BY id").fetchall()


async def test_a_customer_goes_with_all_that_happened_in_its_calls_and_nobody_else(
    own: Settings, warehouse: Warehouse, forgetting: Forgetting
) -> None:
    await store(warehouse, WINDOW)
    assert await forgetting.forget("acme", "k1") == Forgotten(events=3, days=2)
    assert await left(warehouse) == [2, 4]
    minutes = await warehouse.query("SELECT sum(scored) AS scored FROM voc_minutes")
    assert minutes == await warehouse.query("SELECT sum(scored) AS scored FROM voc_event_minutes")
    (begun, done) = audited(own)
    assert begun[:2] + begun[3:] == ("jane", "forget begun", "acme", {"events": 3})
    assert done[1:2] + done[3:] == ("forgotten", "acme", {
        "events": 3, "days": 2, "call_rows": 0, "composites": 0, "letters": 0, "calls": 0, "objects": 0, "keys": 0, "held": 0,
    })  # fmt: skip
    assert "k1" not in begun[2] + done[2]


async def test_a_tenant_goes_whole_with_the_scores_of_its_calls(own: Settings, warehouse: Warehouse, forgetting: Forgetting) -> None:
    await store(warehouse, WINDOW)
    await warehouse.insert_scores([scoring_result(), scoring_result(enriched_call("c9", tenant_id="globex"))], "t")
    with psycopg.connect(own.postgres_dsn.get_secret_value(), autocommit=True) as session:
        session.execute(
            "INSERT INTO call_composite (tenant_id, call_id, weight, weights_version) VALUES ('acme', 'c1', 1, 1), ('globex', 'c9', 1, 1)"
        )
    assert await forgetting.forget("acme", None) == Forgotten(events=4, days=2, call_rows=1, composites=1)
    assert await left(warehouse) == [4]
    assert await warehouse.query("SELECT tenant_id FROM call_scores FINAL") == [{"tenant_id": "globex"}]


class ScoredMeanwhile(Warehouse):
    """A warehouse in which a call is scored right before its events are deleted."""

    composite: Composite

    async def command(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        if statement.startswith("ALTER TABLE voc_events DELETE"):
            await self.composite.scored([result(call_id="c1")])
            (met,) = await self.query("SELECT composite FROM call_composite FINAL")
            assert met["composite"] is not None
        await super().command(statement, parameters)


async def test_a_score_that_comes_meanwhile_or_again_brings_no_sentiment_back(own: Settings, warehouse: Warehouse, db: Database) -> None:
    await store(warehouse, WINDOW)
    busy = ScoredMeanwhile(own)
    busy.composite = Composite(CompositeStore(db), CompositeTable(busy), VocFeelings(busy), Weights)
    done = await Forgetting(busy, db, Vault(own.encryption_keys, own.pii_key_id), actor="jane", sleep=no_wait).forget("acme", "k1")
    assert (done.composites, done.call_rows) == (1, 1)

    await busy.composite.scored([result(call_id="c1")])
    await busy.close()
    with psycopg.connect(own.postgres_dsn.get_secret_value()) as session:
        assert session.execute("SELECT sentiment FROM call_composite").fetchall() == [(None,)]
    assert await warehouse.query("SELECT call_id FROM call_composite") == []


async def test_a_customers_calls_are_found_by_the_other_party_that_the_recorder_told(
    own: Settings, warehouse: Warehouse, forgetting: Forgetting
) -> None:
    """Our own events of calls carry no customer: PostgreSQL knows the pseudonym of each call's other party."""
    await store(warehouse, [(call_value(1, call_id="c1", customer_id=None), SAD), (call_value(2, call_id="c2", customer_id=None), SAD)])
    reference = Vault(own.encryption_keys, own.pii_key_id).reference("+14155550123", "acme")
    with psycopg.connect(own.postgres_dsn.get_secret_value(), autocommit=True) as session:
        session.execute(
            "INSERT INTO call (call_id, tenant_id, started_at, ended_at, customer_ref, event_ts, ingest_uuid)"
            " VALUES ('c1', 'acme', now(), now(), %s, now(), gen_random_uuid())",
            (reference,),
        )
    done = await forgetting.forget("acme", "+14155550123")
    assert (done.events, done.calls) == (1, 1)
    assert await left(warehouse) == [1]


async def test_what_is_forgotten_does_not_come_back_with_its_window(own: Settings, warehouse: Warehouse, forgetting: Forgetting) -> None:
    await store(warehouse, WINDOW)
    await forgetting.forget("acme", None)
    await store(warehouse, WINDOW)
    assert await left(warehouse) == [4]
    assert await warehouse.stored_offsets("1", "voc.calls", 0, 0, 9) == {0, 1, 2, 3, 4}
    assert await warehouse.newest_offset("1", "voc.calls", 0) == 4
    assert own.clickhouse_token_window


async def test_it_does_not_come_back_when_the_engine_has_cleared_what_is_empty(warehouse: Warehouse, forgetting: Forgetting) -> None:
    """A part that a deletion emptied would vanish with its token; merging everything is what comes next."""
    await store(warehouse, WINDOW[:1])
    await store(warehouse, WINDOW[4:], first=4)
    await forgetting.forget("acme", None)
    await warehouse.command("OPTIMIZE TABLE voc_events FINAL")
    await store(warehouse, WINDOW[:1])
    assert await left(warehouse) == [4]
    (setting,) = await warehouse.query(
        "SELECT create_table_query AS made FROM system.tables WHERE database = currentDatabase() AND name = 'voc_events'"
    )
    assert "remove_empty_parts = 0" in setting["made"]


async def test_what_an_interrupted_run_left_is_finished_by_the_next(warehouse: Warehouse, forgetting: Forgetting) -> None:
    await store(warehouse, WINDOW)
    await VocRemoval(warehouse).delete(Selection.of_tenant("acme"))  # and then the process was killed
    assert await warehouse.view_differences() != []
    assert await forgetting.forget("acme", None) == Forgotten(events=0, days=2)
    assert await left(warehouse) == [4]
    assert await forgetting.forget("acme", None) == Forgotten(events=0, days=0)


async def test_events_that_arrive_meanwhile_are_kept_and_counted(warehouse: Warehouse, forgetting: Forgetting) -> None:
    done = asyncio.Event()

    async def arrive() -> int:
        sent = 0
        while not done.is_set():
            window = [(call_value(1000 + sent, tenant_id="globex"), SAD), (call_value(5000 + sent, call_id="c7", customer_id="k2"), SAD)]
            try:
                await store(warehouse, window, first=2 * sent, partition=1)
            except OutageError:
                await asyncio.sleep(0.01)
            else:
                sent += 1
        return sent

    await store(warehouse, WINDOW)
    arriving = asyncio.create_task(arrive())
    assert (await forgetting.forget("acme", "k1")).events == 3
    done.set()
    sent = await arriving
    assert len(await left(warehouse)) == 2 + 2 * sent


async def test_events_past_their_tenants_retention_go_and_others_stay(own: Settings, warehouse: Warehouse, forgetting: Forgetting) -> None:
    await store(warehouse, [*WINDOW, (call_value(6, tenant_id="globex", timestamp=EARLIER), SAD)])
    today = TIMESTAMP.date()
    assert await forgetting.expire(Retention(), today) == {}
    assert await forgetting.expire(Retention({"acme": 41}), today) == {}
    assert await forgetting.expire(Retention({"acme": 40}), today) == {"40 days: acme": Forgotten(1, 1)}
    assert await left(warehouse) == [0, 1, 2, 4, 5]
    assert await forgetting.expire(Retention({"acme": 40}, default=30), today) == {"30 days: globex": Forgotten(1, 1)}
    assert [row[1:4] for row in audited(own)] == [("expired", "events kept for 40 days", "acme"), ("expired", "events kept for 30 days", "globex")]


async def test_retention_and_mending_are_done_once_a_day(own: Settings, warehouse: Warehouse, db: Database) -> None:
    await store(warehouse, WINDOW)
    day = [TIMESTAMP]
    vault = Vault(own.encryption_keys, own.pii_key_id)
    daily = DailyRetention(warehouse, db, vault, lambda: Retention({"acme": 7}), now=lambda: day[0])
    await warehouse.command("INSERT INTO voc_sums (tenant_id, by, at, events) VALUES ('globex', 'day', toDateTime('2026-11-22 00:00:00'), 7)")
    assert await daily.turn() == 1
    assert {difference.tenant_id for difference in await warehouse.view_differences()} == {"globex"}
    await store(warehouse, [(call_value(9, timestamp=EARLIER), SAD)], first=9)
    assert await daily.turn() == 0
    assert await left(warehouse) == [0, 1, 2, 4, 9]
    day[0] += timedelta(days=1)
    assert await daily.turn() == 1


async def test_a_window_that_was_cut_off_from_the_sums_and_comes_again_between_two_turns_is_counted_once(
    own: Settings, warehouse: Warehouse, db: Database
) -> None:
    feed = (await warehouse.query("SHOW CREATE TABLE voc_sums_feed"))[0]["statement"]
    await warehouse.command("DROP TABLE voc_sums_feed")
    await store(warehouse, WINDOW)
    await warehouse.command(feed)
    daily = DailyRetention(warehouse, db, Vault(own.encryption_keys, own.pii_key_id), Retention, now=lambda: TIMESTAMP)
    assert await daily.turn() == 0
    await store(warehouse, WINDOW)
    for _ in range(2):
        assert await daily.turn() == 0
        assert await warehouse.view_differences() == []


async def test_the_commands_say_what_they_do(own: Settings, warehouse: Warehouse) -> None:
    said: list[str] = []
    now = datetime.now(UTC)
    await store(warehouse, [(call_value(1, timestamp=now), SAD), (call_value(2, tenant_id="globex", timestamp=now), SAD)])
    assert await commands.forget(own, said.append, tenant="acme", customer="k1", yes=False) == 0
    assert said == ["that customer of tenant acme: 1 events, 1 calls, 0 dead letters", "nothing was deleted: --yes does it"]
    assert len(await left(warehouse)) == 2
    assert await commands.forget(own, said.append, tenant="acme", customer="k1", yes=True) == 0
    assert said[-1] == "forget: events=1 days=1 call_rows=0 composites=0 letters=0 calls=0 objects=0 keys=0 held=0"
    assert await commands.expire(own, said.append) == 0
    assert said[-1] == "expire: events=0 letters=0"
    assert await commands.views(own, said.append, days=[], mend=False) == 0
    await warehouse.command("INSERT INTO voc_sums (tenant_id, by, at, events) VALUES ('acme', 'day', '2026-11-02', 7)")
    assert await commands.views(own, said.append, days=[], mend=False) == 1
    assert said[-2:] == ["acme 2026-11-02 by day: 1 sums differ, table 0 events, view 7", "views: differences=1"]
    assert await commands.views(own, said.append, days=[], mend=True) == 0
    assert await VocSums(warehouse).differences() == []
