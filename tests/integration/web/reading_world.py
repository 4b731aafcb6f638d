"""A tenant with a handful of calls on real servers, as the pipeline would have left them, and another tenant whose calls must never show."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import msgspec

from tests.calls import at, audio_ready, enriched_call, errored, scoring_result
from tests.voc import store as store_events
from tests.web_desk import Keyring, real_desk, served
from voc_stream.clients.call_originals import keep_original
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.events.base import encode
from voc_stream.events.calls import EnrichedCall, Transcript, Turn
from voc_stream.security.vault import Vault
from voc_stream.settings import Settings
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.changes import Downloaded, Enriched, Exported, Scored
from voc_stream.stages.composite import CallSides, Feeling, Quality, Weight
from voc_stream.stages.export import call_event

# Whole seconds of yesterday, so that a report of two days holds them all.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
AUDIO = bytes(range(256)) * 800
TURNS = (
    Turn(speaker="agent", start=0.5, end=2.0, text="Good morning, how can I help?"),
    Turn(speaker="customer", start=2.5, end=6.0, text="My <b>router</b> is broken & I want a refund, please."),
)
ATTACK = "=1+1"
ORIGINAL = "Good morning Mister Miller, how can I help?"


@dataclass(frozen=True, slots=True)
class Said:
    """A call to be made: the minute after noon in which it starts, and what became of it."""

    call_id: str
    minute: int
    agent: str = "anna"
    tenant: str = "acme"
    score: float | None = 80.0
    sentiment: float | None = None
    topic: str | None = None
    switch: str = ""
    skill: str = "billing"
    failed: bool = False


# c4 could not be scored, c5 failed, c6 was a tenth of an hour late; g1 is another tenant's, of the same conversation and words.
CALLS = (
    Said("c1", 1, score=90.0, sentiment=0.5, topic="billing", switch="s1"),
    Said("c2", 2, score=40.25, sentiment=-0.75, topic="complaint", switch="s1", agent="ben"),
    Said("c3", 3, score=70.0, skill=ATTACK),
    Said("c4", 4, score=None, agent="ben"),
    Said("c5", 5, failed=True),
    Said("c6", 6, score=60.0, sentiment=0.0, topic="billing", agent="ben"),
    Said("g1", 7, score=10.0, sentiment=-1.0, topic="complaint", switch="s1", tenant="globex"),
)
LATE = {"c6": 360.0}


@dataclass(frozen=True, slots=True)
class World:
    """Who asks, and of what."""

    client: httpx.AsyncClient
    keyring: Keyring
    db: Database

    async def get(self, path: str, *, scope: str = "read", tenant: str = "acme", **headers: str) -> httpx.Response:
        """Ask with a token."""
        return await self.client.get(path, headers=self.keyring.headers(scope, tenant) | headers)

    async def audited(self, action: str) -> list[tuple[str, str]]:
        """Return subject and tenant of the audit log's rows of an action."""
        async with self.db.connection() as connection:
            rows = await connection.fetch("SELECT subject, tenant_id FROM audit_log WHERE action = $1 ORDER BY id", action)
        return [(row["subject"], row["tenant_id"]) for row in rows]


@asynccontextmanager
async def reading_world(settings: Settings) -> AsyncIterator[World]:
    """Lend the application on servers that hold `CALLS`.

    Args:
        settings: of migrated databases, empty.
    """
    db, warehouse, objects = Database(settings), Warehouse(settings), ObjectStore(settings)
    await objects.open()
    try:
        await _fill(settings, db, warehouse, objects)
        async with real_desk(settings) as (desk, keyring), served(desk) as client:
            yield World(client, keyring, db)
    finally:
        await objects.close()
        await warehouse.close()
        await db.close()


async def _fill(settings: Settings, db: Database, warehouse: Warehouse, objects: ObjectStore) -> None:
    run = uuid.uuid4().hex[:8]
    vault = Vault(settings.encryption_keys, settings.pii_key_id)
    store = CallStore(db, vault, settings)
    transcript = Transcript(language="en", turns=TURNS)
    key = f"transcripts/test/{run}/c1.json"
    await objects.put_bytes(key, json.dumps(msgspec.to_builtins(transcript)).encode(), content_type="application/json", metadata={}, tags={})
    recording = await objects.put_bytes(f"raw/test/{run}/c1.wav", AUDIO, content_type="audio/wav", metadata={}, tags={})
    events = []
    for number, said in enumerate(CALLS):
        call = _call(said)
        end = call.ended_at
        await store.apply([Enriched(call, "", "", at(number, time=end + timedelta(seconds=30)))])
        if said.failed:
            await store.apply([errored(said.call_id, retry=False, by=at(number, topic="calls.enriched", time=end + timedelta(seconds=31)))])
            continue
        audio = msgspec.structs.replace(audio_ready(call, sha256=recording.sha256), s3_key=recording.key, size_bytes=recording.size)
        result = msgspec.structs.replace(
            scoring_result(
                call,
                outcome="NOT_SCORABLE" if said.score is None else "SCORED",
                score=said.score,
                scored_at=end + timedelta(seconds=LATE.get(said.call_id, 45.0)),
            ),
            transcript_key=key if said.call_id in {"c1", "g1"} else None,
        )
        await store.apply(
            [
                Downloaded(audio, at(number, topic="calls.enriched", time=end + timedelta(seconds=35))),
                Scored(result, at(number, topic="audio.ready", time=result.scored_at)),
                Exported(said.call_id, result.model_version, at(number, topic="scoring.results", time=result.scored_at + timedelta(seconds=1))),
            ]
        )
        await CompositeStore(db).merge(_sides(said, result.scored_at, result.model_version))
        if result.transcript_key:
            await _keep_original(db, vault, said.call_id)
            annotation = Annotation(sentiment=said.sentiment, sentiment_source="rule", topic=said.topic)
            events.append((encode(call_event(result, transcript)), annotation))
    await store_events(warehouse, events)
    await _alert(db)


def _call(said: Said) -> EnrichedCall:
    call = enriched_call(said.call_id, tenant_id=said.tenant, started_at=NOON + timedelta(minutes=said.minute), switch_call_id=said.switch)
    return msgspec.structs.replace(call, agent_id=said.agent, skill=said.skill)


def _sides(said: Said, moment: datetime, model: str) -> list[CallSides]:
    quality = Quality(None if said.score is None else Decimal(str(said.score)), model, moment)
    feeling = None if said.sentiment is None else Feeling(said.sentiment, "rule", moment, uuid.uuid4(), said.topic)
    weight = Weight(Decimal("0.700"), 0)
    return [
        CallSides(said.tenant, said.call_id, weight, quality),
        *([] if feeling is None else [CallSides(said.tenant, said.call_id, weight, None, feeling)]),
    ]


async def _keep_original(db: Database, vault: Vault, call_id: str) -> None:
    said = Transcript(turns=(Turn(speaker="agent", start=0.5, end=2.0, text=ORIGINAL),))
    async with db.transaction() as connection:
        assert await keep_original(connection, vault, call_id, msgspec.json.encode(said))


async def _alert(db: Database) -> None:
    insert = """
    INSERT INTO alert (alert_id, tenant_id, rule, metric, window_minutes, raised_at, raised_value, raised_count, cleared_at, cleared_cause,
                       cleared_count)
    VALUES ($1, $2, $3, 'mean_sentiment', 15, $4::timestamptz, -0.5, 12, $5, $6, $7)
    """
    async with db.connection() as connection:
        await connection.execute(insert, uuid.uuid4(), "acme", "unhappy", NOON, NOON + timedelta(hours=1), "data", 3)
        await connection.execute(insert, uuid.uuid4(), "acme", "unhappy", NOON + timedelta(hours=2), None, None, None)
        await connection.execute(insert, uuid.uuid4(), "globex", "unhappy", NOON, None, None, None)
