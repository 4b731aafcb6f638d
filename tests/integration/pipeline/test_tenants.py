"""Calls that no tenant is known for: scored all the same, and the tenant's as soon as the tenants file says whose they are."""

from __future__ import annotations

import asyncio

from tests.integration.pipeline.pipeline import TENANTS, Pipeline, decoded
from voc_stream import topics
from voc_stream.clients.call_customers import read_customers
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.security.vault import Vault

SERVICE = "umbrella-desk"


async def test_calls_without_a_tenant_are_driven_again_once_the_file_maps_them(pipeline: Pipeline) -> None:
    tenants_file = pipeline.workshop.tenants_file
    (known,) = await pipeline.spoken(1, service="acme-support")
    lost = await pipeline.spoken(2, service=SERVICE)
    await pipeline.until_settled([known, *lost])
    assert await _tenants(pipeline, [known, *lost]) == {known: "acme", **dict.fromkeys(lost, "unassigned")}

    await asyncio.to_thread(tenants_file.write_text, "[services\n")  # a slip of the pen does not unmap anybody
    (meanwhile,) = await pipeline.spoken(1, service="acme-support")
    await pipeline.until_settled([meanwhile])
    assert await _tenants(pipeline, [meanwhile]) == {meanwhile: "acme"}

    await asyncio.to_thread(tenants_file.write_text, f'{TENANTS}"umbrella-*" = "umbrella"\n')

    async def found() -> bool:
        return await _in_clickhouse(pipeline, lost) == dict.fromkeys(lost, "umbrella")

    await pipeline.until("ClickHouse shows the calls under their tenant", found)
    assert await _tenants(pipeline, [known, *lost]) == {known: "acme", **dict.fromkeys(lost, "umbrella")}
    vault = Vault(pipeline.settings.encryption_keys, pipeline.settings.pii_key_id)
    for call_id in lost:
        row = await pipeline.row("SELECT p.*, c.customer_ref FROM customer_pii p JOIN call c USING (call_id) WHERE call_id = $1", call_id)
        async with pipeline.database.connection() as connection:
            parties = (await read_customers(connection, vault, [call_id]))[call_id].other_parties
        assert row["customer_ref"] == vault.reference(parties, "umbrella")
        assert {decoded(record)["tenant_id"] for record in await pipeline.read(topics.SCORING_RESULTS, [call_id])} == {"unassigned", "umbrella"}
    await pipeline.assert_consistent([known, meanwhile, *lost])


async def _tenants(pipeline: Pipeline, call_ids: list[str]) -> dict[str, str]:
    rows = await pipeline.rows("SELECT call_id, tenant_id FROM call WHERE call_id = ANY($1::varchar[])", call_ids)
    return {row["call_id"]: row["tenant_id"] for row in rows}


async def _in_clickhouse(pipeline: Pipeline, call_ids: list[str]) -> dict[str, str]:
    warehouse = Warehouse(pipeline.settings)
    try:
        rows = await warehouse.query("SELECT call_id, tenant_id FROM call_scores FINAL")
    finally:
        await warehouse.close()
    return {row["call_id"]: row["tenant_id"] for row in rows if row["call_id"] in call_ids}
