"""A contact centre for the browser to look at: calls, letters and alerts of two tenants on real servers, as the pipeline would have left them."""

from __future__ import annotations

import io
import math
import struct
import uuid
import wave
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from tests.calls import at, audio_ready, enriched_call, errored, scoring_result
from tests.fakes.letters import letter
from tests.voc import store as store_events
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.completeness_store import CompletenessStore
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.events.base import encode
from voc_stream.events.calls import BreakdownItem, EnrichedCall, Evidence, ScoringResult, Transcript, Turn
from voc_stream.runtime.letter_reading import StoredLetter
from voc_stream.security.vault import Vault
from voc_stream.settings import Settings
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.changes import Downloaded, Enriched, Scored
from voc_stream.stages.completeness import Equation, Gap, Hop
from voc_stream.stages.composite import CallSides, Feeling, Quality, Weight
from voc_stream.stages.export import call_event

# Some hours ago: all of it is in a report of two days, and none of it is in the future.
BEGAN = datetime.now(UTC) - timedelta(hours=3)
SECONDS = 12
RATE = 8000
ATTACK = "<script>window.hit = 1</script>"
IMAGE = "<img src=x onerror='window.hit = 2'>"
TOLD = "talk-1"
OTHERS = "globex-1"
TURNS = (
    Turn(speaker="agent", start=0.5, end=3.0, text="Good morning, thank you for calling."),
    Turn(speaker="customer", start=3.5, end=7.0, text=f"I want a refund {IMAGE} for my router."),
    Turn(speaker="agent", start=7.5, end=11.0, text="I am sorry to hear that."),
)
BREAKDOWN = (
    BreakdownItem(
        item="greeting",
        points=10,
        max_points=10,
        applicable=True,
        detail="greets",
        evidence=(Evidence(quote="Good morning", start=0.5, end=3.0, speaker="agent"),),
    ),
    BreakdownItem(item="closing", points=0, max_points=10, applicable=True, detail="no farewell", evidence=()),
)
TOPICS = ("billing", "billing", "technical", "complaint", "delivery")
# Agents with a usual number of calls, and one with few.
AGENTS = {"anna": 14, "ben": 12, "new": 2}
GAPS = 3
LETTERS = 4


@dataclass(frozen=True, slots=True)
class _Call:
    call_id: str
    minute: float
    agent: str
    score: float
    topic: str
    tenant: str = "acme"


async def found(settings: Settings) -> None:
    """Fill migrated, empty databases and a bucket.

    Args:
        settings: where they are.
    """
    db, warehouse, objects = Database(settings), Warehouse(settings), ObjectStore(settings)
    vault = Vault(settings.encryption_keys, settings.pii_key_id)
    await objects.open()
    try:
        await _fill(CallStore(db, vault, settings), db, warehouse, objects)
        await DeadLetters(db, vault).put([_letter(number, tenant) for number, tenant in enumerate(["acme"] * LETTERS + ["globex"], start=1)])
        await _ledger(CompletenessStore(db))
        await raise_alert(db, "acme", "unhappy", BEGAN, ended=BEGAN + timedelta(hours=1))
        await raise_alert(db, "acme", "complaints", BEGAN + timedelta(hours=2))
        await raise_alert(db, "globex", "unhappy", BEGAN)
    finally:
        await objects.close()
        await warehouse.close()
        await db.close()


async def add_call(settings: Settings, call_id: str) -> None:
    """Let one more call of acme arrive, scored."""
    db = Database(settings)
    try:
        store = CallStore(db, Vault(settings.encryption_keys, settings.pii_key_id), settings)
        await _score(store, db, _Call(call_id, 170, "anna", 75.0, "billing"), 900)
    finally:
        await db.close()


async def raise_alert(db: Database, tenant: str, rule: str, began: datetime, ended: datetime | None = None) -> None:
    """Put an alert there; it is open while it has no end."""
    insert = """
    INSERT INTO alert (alert_id, tenant_id, rule, metric, window_minutes, raised_at, raised_value, raised_count, cleared_at, cleared_cause,
                       cleared_value, cleared_count)
    VALUES ($1, $2, $3, 'mean_sentiment', 15, $4, -0.5, 12, $5::timestamptz, CASE WHEN $5::timestamptz IS NOT NULL THEN 'data' END,
            CASE WHEN $5::timestamptz IS NOT NULL THEN 0.1 END, CASE WHEN $5::timestamptz IS NOT NULL THEN 30 END)
    """
    async with db.connection() as connection:
        await connection.execute(insert, uuid.uuid4(), tenant, rule, began, ended)


async def _fill(store: CallStore, db: Database, warehouse: Warehouse, objects: ObjectStore) -> None:
    async with db.connection() as connection:
        await connection.execute("INSERT INTO agent (agent_id, full_name) VALUES ('anna', $1), ('ben', 'Ben Ito')", f"Anna {ATTACK}")
    run = uuid.uuid4().hex[:8]
    transcript = Transcript(language="en", turns=TURNS)
    words = f"transcripts/browser/{run}.json"
    await objects.put_bytes(words, msgspec.json.encode(transcript), content_type="application/json", metadata={}, tags={})
    recording = await objects.put_bytes(f"raw/browser/{run}.wav", _two_voices(), content_type="audio/wav", metadata={}, tags={})
    audio: Mapping[str, Any] = {"s3_key": recording.key, "sha256": recording.sha256, "size_bytes": recording.size, "duration": float(SECONDS)}
    told = _Call(TOLD, 150, "anna", 82.5, "complaint")
    events = []
    for number, call in enumerate((*_calls(), told, _Call(OTHERS, 10, "zoe", 30.0, "praise", tenant="globex"))):
        audio = (
            {"s3_key": recording.key, "sha256": recording.sha256, "size_bytes": recording.size, "duration": float(SECONDS)} if call is told else {}
        )
        made = await _score(store, db, call, number, transcript_key=words if call is told else None, audio=audio)
        if call is told:
            events.append((encode(call_event(made, transcript)), Annotation(sentiment=-0.4, sentiment_source="rule", topic=call.topic)))
    await store_events(warehouse, events)
    failed = _enriched(_Call("broken", 20, "ben", 0.0, ""))
    await store.apply([Enriched(failed, "", "", at(500, time=failed.ended_at))])
    await store.apply([errored("broken", retry=False, by=at(500, topic="calls.enriched", time=failed.ended_at + timedelta(seconds=1)))])


def _calls() -> Sequence[_Call]:
    whose = [agent for agent, calls in AGENTS.items() for _ in range(calls)]
    scores = {"anna": 84.0, "ben": 66.0, "new": 97.0}
    return [
        _Call(f"call-{number}", 4.0 * number, agent, scores[agent] + number % 5 - 2, TOPICS[number % len(TOPICS)])
        for number, agent in enumerate(whose)
    ]


def _enriched(call: _Call) -> EnrichedCall:
    made = enriched_call(call.call_id, tenant_id=call.tenant, started_at=BEGAN + timedelta(minutes=call.minute))
    return msgspec.structs.replace(made, agent_id=call.agent)


async def _score(
    store: CallStore, db: Database, call: _Call, number: int, *, transcript_key: str | None = None, audio: Mapping[str, Any] | None = None
) -> ScoringResult:
    made = _enriched(call)
    done = made.ended_at + timedelta(seconds=40)
    heard = msgspec.structs.replace(audio_ready(made), **(audio or {}))
    result = msgspec.structs.replace(scoring_result(made, score=call.score, scored_at=done), transcript_key=transcript_key, breakdown=BREAKDOWN)
    await store.apply([Enriched(made, "", "", at(number, time=made.ended_at + timedelta(seconds=10)))])
    await store.apply([Downloaded(heard, at(number, topic="calls.enriched", time=made.ended_at + timedelta(seconds=20)))])
    await store.apply([Scored(result, at(number, topic="audio.ready", time=done))])
    weight = Weight(Decimal("0.700"), 0)
    feeling = Feeling(-0.5 if call.topic == "complaint" else 0.3, "rule", done, uuid.uuid4(), call.topic)
    quality = Quality(Decimal(str(call.score)), result.model_version, done)
    await CompositeStore(db).merge(
        [CallSides(call.tenant, call.call_id, weight, quality), CallSides(call.tenant, call.call_id, weight, None, feeling)]
    )
    return result


def _two_voices() -> bytes:
    """Return a recording: two channels, each with its own tone where its speaker talks."""
    frames = bytearray()
    for frame in range(SECONDS * RATE):
        moment = frame / RATE
        for speaker, pitch in (("agent", 220), ("customer", 330)):
            talks = any(turn.start <= moment <= turn.end for turn in TURNS if turn.speaker == speaker)
            frames += struct.pack("<h", int(6000 * math.sin(2 * math.pi * pitch * moment)) if talks else 0)
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setparams((2, 2, RATE, 0, "NONE", ""))
        recording.writeframes(bytes(frames))
    return file.getvalue()


def _letter(number: int, tenant: str) -> StoredLetter:
    failed = BEGAN + timedelta(minutes=number)
    known = letter(number, tenant_id=tenant, reason=f"the record of {tenant} is not JSON", fingerprint=f"{tenant:f<64}", value=f"{{{ATTACK}".encode())
    return replace(known, id=None, written_at=failed, first_failed_at=failed, last_failed_at=failed)


async def _ledger(store: CompletenessStore) -> None:
    hour = BEGAN.replace(minute=0, second=0, microsecond=0)
    whole = [Equation(hour, "acme", hop, left=33, terms=Counter({"found": 33})) for hop in Hop if hop is not Hop.EXPORT]
    broken = Equation(hour, "acme", Hop.EXPORT, left=33, terms=Counter({"found": 33 - GAPS}))
    for number in range(GAPS):
        broken.add(Gap(Hop.EXPORT, "acme", f"call-{number}", "its result has no row in call_scores", None, hour), left=0)
    await store.save(hour, [*whole, broken], datetime.now(UTC))
