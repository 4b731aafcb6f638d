"""Customers' data is where it must be, sealed, and nowhere else (canaries: the simulator's made-up customers)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.integration.pipeline.pipeline import Pipeline, decoded
from tests.integration.pipeline.shown import shown
from tests.integration.pipeline.store import BucketView
from voc_stream import topics
from voc_stream.clients.call_customers import read_customers
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.security.vault import Vault, on_the_wire
from voc_stream.settings import Settings

UDFS = ("Madeup Customer", "4111111111111111", "@example.com", "account=TEST-", "dob=")
CANARIES = (*UDFS, "1415555")
EVENT_CANARIES = (
    "Zebedee", "Quillfeather", "4012 8888", "4012888888881881", "555-0186", "4155550186", "zq.canary", "219-09-9999", "five double five",
)  # fmt: skip
# One that passes, one that cannot be scored, one that fails for good, one that is no audio.
KINDS = ("stereo", "silent", "text")


async def test_no_customer_data_in_clear_in_databases_s3_logs_metrics_topics_headers_and_on_pages(
    pipeline: Pipeline, bucket: BucketView, tmp_path: Path
) -> None:
    call_ids = [call["inum"] for kind in KINDS for call in await pipeline.record(kind)]
    rows = await pipeline.until_settled(call_ids)
    tenants = {row["tenant_id"] for row in await pipeline.rows("SELECT tenant_id FROM call WHERE call_id = ANY($1)", call_ids)}
    pages = await shown(pipeline, tmp_path, tenants, call_ids, "thank")
    assert {text[:3] for name, text in pages.items() if name.endswith(tuple(call_ids))} >= {"200"}
    found = {
        "PostgreSQL": _canaries(await _postgres(pipeline)),
        "ClickHouse": _canaries(await _clickhouse(pipeline.settings)),
        "S3": _canaries([text for row in rows.values() if row.s3_key for text in await _described(bucket, row.s3_key)]),
        "the worker's log": _canaries([pipeline.worker.log.read_text(errors="replace")]),
        "metrics": _canaries([await asyncio.to_thread(pipeline.worker.metrics)]),
        **{place: _canaries([text]) for place, text in pages.items()},
        "udfs in calls.polled and calls.raw": _canaries(await _values(pipeline, call_ids, topics.CALLS_POLLED, topics.CALLS_RAW), UDFS),
        "topics after enrichment": _canaries(
            await _values(pipeline, call_ids, topics.CALLS_ENRICHED, topics.AUDIO_READY, topics.SCORING_RESULTS, topics.VOC_CALLS)
        ),
        "headers of dead letters": _canaries(
            [value.decode(errors="replace") for letters in (await pipeline.letters(call_ids)).values() for one in letters for _, value in one.headers]
        ),
    }
    assert {place: canaries for place, canaries in found.items() if canaries} == {}


async def test_the_customer_s_data_is_kept_sealed_for_its_row_and_column_and_opens_with_the_key(pipeline: Pipeline) -> None:
    (call_id,) = await pipeline.spoken(1, service="acme-support")
    await pipeline.until_status([call_id], "SCORED")
    (polled,) = await pipeline.read(topics.CALLS_POLLED, [call_id])
    vault = Vault(pipeline.settings.encryption_keys, pipeline.settings.pii_key_id)
    row = await pipeline.row("SELECT k.kek_id, c.* FROM customer_key k JOIN call c ON c.customer_ref = k.owner WHERE call_id = $1", call_id)
    async with pipeline.database.connection() as connection:
        known = (await read_customers(connection, vault, [call_id]))[call_id]
    udfs, parties = known.udfs, known.other_parties
    assert all(canary in udfs for canary in UDFS)
    assert parties.startswith("+1415555")
    assert (row["kek_id"], row["tenant_id"]) == (pipeline.settings.pii_key_id, "acme")
    assert row["customer_ref"] == vault.reference(parties, "acme")
    assert vault.open(decoded(polled)["sealed_udfs"], bound_to=on_the_wire(call_id)) == udfs


async def test_planted_names_and_numbers_in_events_that_pass_and_in_events_that_fail_are_in_clear_nowhere(pipeline: Pipeline, tmp_path: Path) -> None:
    tenant = f"canary-{uuid.uuid4().hex[:8]}"
    texts = {
        "transcript": "Zebedee Quillfeather, card 4012 8888 8888 1881, phone 415-555-0186, zq.canary@example.org, four one five double five nine",
        "metadata": {"customer_name": "Zebedee Quillfeather", "note": "Quillfeather, SSN 219-09-9999"},
    }
    call = {"event_type": "call", "tenant_id": tenant, "timestamp": datetime.now(UTC), "call_id": "c1", "customer_id": "+14155550186", **texts}
    tool = {
        "event_type": "tool_invocation", "tenant_id": tenant, "timestamp": datetime.now(UTC), "tool": "crm", "unknown": texts,
        "arguments": {"phone": 4155550186, "q": "zq.canary@example.org"}, "error": "no customer 4012888888881881",
    }  # fmt: skip
    bad = [
        {**call, "event_id": uuid.uuid4(), "duration": "4012 8888 8888 1881"},
        {**call, "event_id": uuid.uuid4(), "event_type": "Zebedee Quillfeather"},
        {**call, "event_id": uuid.uuid4(), "timestamp": "1969-01-01T00:00:00Z"},
    ]
    good = [{**call, "event_id": uuid.uuid4()}, {**tool, "event_id": uuid.uuid4()}]
    keys = [f"{tenant}-{number}".encode() for number in range(len(bad))]
    await pipeline.write(topics.VOC_CALLS, *zip(keys, map(msgspec.json.encode, bad), strict=True))
    await pipeline.write(topics.VOC_CALLS, *((b"k", msgspec.json.encode(event)) for event in good))
    letters = await pipeline.until_letters(f"{topics.VOC_CALLS}.dlq", keys)
    rows: list[dict[str, Any]] = []

    async def stored() -> bool:
        rows[:] = await _events(pipeline.settings, tenant)
        kept = await pipeline.rows("SELECT id FROM dead_letter WHERE tenant_id = $1", tenant)
        return len(rows) == len(good) and len(kept) >= 1

    await pipeline.until("events and dead letters are stored", stored)
    metrics = await asyncio.to_thread(pipeline.worker.metrics)
    headers = [value.decode(errors="replace") for letter in letters.values() for name, value in letter.headers if name.startswith("voc-dlq-")]
    pages = await shown(pipeline, tmp_path, [tenant], ["c1"], "card")
    assert "[name]" in pages[f"{tenant} /search?q=card"]
    assert pages[f"{tenant} /desk/letters"].startswith("200")
    found = {
        **{place: _canaries([text], EVENT_CANARIES) for place, text in pages.items()},
        "ClickHouse": _canaries(await _clickhouse(pipeline.settings), EVENT_CANARIES),
        "PostgreSQL": _canaries(await _postgres(pipeline), EVENT_CANARIES),
        "the worker's log": _canaries([pipeline.worker.log.read_text(errors="replace")], EVENT_CANARIES),
        "metrics": _canaries([metrics], EVENT_CANARIES),
        "headers of dead letters": _canaries(headers, EVENT_CANARIES),
    }
    assert {place: canaries for place, canaries in found.items() if canaries} == {}
    said = next(row["payload"] for row in rows if row["event_type"] == "call")
    assert "[name], card [card], phone [phone], [email], [number]" in said
    assert letters[keys[0]].value == msgspec.json.encode(bad[0])


def _canaries(texts: Iterable[str], wanted: Iterable[str] = CANARIES) -> list[str]:
    whole = "\n".join(texts)
    return [canary for canary in wanted if canary in whole]


async def _postgres(pipeline: Pipeline) -> list[str]:
    """Every row of every table, as text."""
    tables = await pipeline.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    names = [table["name"] for table in tables]
    assert {"call", "customer_pii", "call_event", "audio_asset", "scoring_result"} <= set(names)
    return [row["text"] for name in names for row in await pipeline.rows(f'SELECT t::text AS text FROM "{name}" AS t')]  # noqa: S608 - our own names


async def _clickhouse(settings: Settings) -> list[str]:
    """Every row of every table, as text."""
    warehouse = Warehouse(settings)
    try:
        tables = await warehouse.query("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'")
        names = [table["name"] for table in tables]
        assert {"call_scores", "call_composite", "voc_events", "voc_sums", "voc_minutes"} <= set(names)
        statements = [f"SELECT toString(tuple(*)) AS text FROM {name}" for name in names]  # noqa: S608 - our own names
        return [row["text"] for statement in statements for row in await warehouse.query(statement)]
    finally:
        await warehouse.close()


async def _events(settings: Settings, tenant: str) -> list[dict[str, Any]]:
    warehouse = Warehouse(settings)
    try:
        return await warehouse.query("SELECT * FROM voc_events WHERE tenant_id = {tenant:String}", {"tenant": tenant})
    finally:
        await warehouse.close()


async def _described(bucket: BucketView, key: str) -> list[str]:
    found = await bucket.object(key)
    return [key, str(found.metadata), str(found.tags)]


async def _values(pipeline: Pipeline, call_ids: list[str], *names: str) -> list[str]:
    read: list[list[Any]] = await asyncio.gather(*(pipeline.read(name, call_ids) for name in names))
    return [record.value.decode() for records in read for record in records]
