"""Customers' data is where it must be, sealed, and nowhere else (canaries: the simulator's made-up customers)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from tests.integration.pipeline.pipeline import Pipeline, decoded
from tests.integration.pipeline.store import BucketView
from voc_stream import topics
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.security.vault import Vault, in_customer_pii, on_the_wire
from voc_stream.settings import Settings

UDFS = ("Madeup Customer", "4111111111111111", "@example.com", "account=TEST-", "dob=")
CANARIES = (*UDFS, "1415555")
# One that passes, one that cannot be scored, one that fails for good, one that is no audio.
KINDS = ("stereo", "silent", "text")


async def test_no_customer_data_in_clear_in_databases_s3_logs_topics_and_headers(pipeline: Pipeline, bucket: BucketView) -> None:
    call_ids = [call["inum"] for kind in KINDS for call in await pipeline.record(kind)]
    rows = await pipeline.until_settled(call_ids)
    found = {
        "PostgreSQL": _canaries(await _postgres(pipeline)),
        "ClickHouse": _canaries(await _clickhouse(pipeline.settings)),
        "S3": _canaries([text for row in rows.values() if row.s3_key for text in await _described(bucket, row.s3_key)]),
        "the worker's log": _canaries([pipeline.worker.log.read_text(errors="replace")]),
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
    row = await pipeline.row("SELECT p.*, c.customer_ref FROM customer_pii p JOIN call c USING (call_id) WHERE call_id = $1", call_id)
    udfs = vault.open(row["udfs"], bound_to=in_customer_pii("acme", "udfs", call_id))
    parties = vault.open(row["other_parties"], bound_to=in_customer_pii("acme", "other_parties", call_id))
    assert all(canary in udfs for canary in UDFS)
    assert parties.startswith("+1415555")
    assert (row["key_id"], row["tenant_id"]) == (pipeline.settings.pii_key_id, "acme")
    assert row["customer_ref"] == vault.reference(parties, "acme")
    assert vault.open(decoded(polled)["sealed_udfs"], bound_to=on_the_wire(call_id)) == udfs


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
    warehouse = Warehouse(settings)
    try:
        return [row["text"] for row in await warehouse.query("SELECT toString(tuple(*)) AS text FROM call_scores")]
    finally:
        await warehouse.close()


async def _described(bucket: BucketView, key: str) -> list[str]:
    found = await bucket.object(key)
    return [key, str(found.metadata), str(found.tags)]


async def _values(pipeline: Pipeline, call_ids: list[str], *names: str) -> list[str]:
    read: list[list[Any]] = await asyncio.gather(*(pipeline.read(name, call_ids) for name in names))
    return [record.value.decode() for records in read for record in records]
