"""What somebody deletes by hand while the pipeline runs is found by the ledger, and comes back through the stages (spec section 2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio
from aiokafka import AIOKafkaProducer

from tests.fakes.privacy import AsTheyCame
from tests.integration.completeness.world import Publisher
from tests.integration.pipeline.pipeline import Pipeline
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.completeness_rows import CompletenessRows
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.composite_table import CompositeTable
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.recorder import RecorderClient
from voc_stream.clients.recordings import Recordings
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.clients.voc_feelings import VocFeelings
from voc_stream.security.vault import Vault
from voc_stream.services.annotating import Annotating
from voc_stream.services.composite import Composite
from voc_stream.services.mend import Mender, Tools
from voc_stream.services.reconcile import Places, Reconciler
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.stages.completeness import Gap, Hop, Remedy
from voc_stream.stages.composite import Weights

Named = dict[tuple[Hop, str], Gap]


@dataclass(slots=True)
class Ledger:
    """The ledger beside the running worker."""

    pipeline: Pipeline
    objects: ObjectStore
    warehouse: Warehouse
    recorder: RecorderClient
    producer: AIOKafkaProducer

    async def gaps(self, calls: list[dict[str, Any]]) -> Named:
        """Return the gaps of these calls, as an hour from now would see them."""
        pipeline = self.pipeline
        settings = pipeline.settings.model_copy(update={"reconcile_settle_seconds": 0.5, "avaya_max_call_seconds": 1200.0})
        places = Places(
            recorder=self.recorder,
            checkpoints=self.store,
            objects=self.objects,
            warehouse=self.warehouse,
            db=pipeline.database,
            tenants=TenantsFile(pipeline.workshop.tenants_file),
        )
        reconciler = Reconciler(places, settings, now=lambda: datetime.now(UTC) + timedelta(hours=1))
        wanted = {call["inum"] for call in calls}
        hours = {datetime.fromisoformat(call["started_at"]).astimezone(UTC).replace(minute=0, second=0, microsecond=0) for call in calls}
        found: Named = {}
        async with TopicReader(settings) as reader:
            standing = await reconciler.standing(reader)
            for hour in hours:
                for equation in await reconciler.examine(hour, standing, reader):
                    found |= {(gap.hop, gap.subject): gap for gap in equation.gaps if gap.subject in wanted}
        return found

    async def mend(self, gaps: Named) -> list[tuple[Gap, str]]:
        """Close gaps; return what is left."""
        async with TopicReader(self.pipeline.settings) as reader:
            return (await Mender(self._tools(), reader).mend(gaps.values())).left

    @property
    def store(self) -> CallStore:
        """The calls in PostgreSQL."""
        settings = self.pipeline.settings
        return CallStore(self.pipeline.database, Vault(settings.encryption_keys, settings.pii_key_id), settings)

    def _tools(self) -> Tools:
        pipeline = self.pipeline
        return Tools(
            calls=self.store,
            rows=CompletenessRows(pipeline.database),
            objects=self.objects,
            recorder=self.recorder,
            recordings=Recordings(self.recorder, self.objects),
            warehouse=self.warehouse,
            composite=Composite(CompositeStore(pipeline.database), CompositeTable(self.warehouse), VocFeelings(self.warehouse), Weights),
            privacy=AsTheyCame(),
            annotating=Annotating(None),
            publisher=Publisher(self.producer),
            vault=Vault(pipeline.settings.encryption_keys, pipeline.settings.pii_key_id),
            tenants=TenantsFile(pipeline.workshop.tenants_file),
            settings=pipeline.settings,
        )


@pytest_asyncio.fixture(loop_scope="session")
async def ledger(pipeline: Pipeline) -> AsyncIterator[Ledger]:
    settings = pipeline.settings
    made = Ledger(
        pipeline,
        ObjectStore(settings),
        Warehouse(settings),
        RecorderClient(settings),
        AIOKafkaProducer(bootstrap_servers=list(settings.kafka_bootstrap), acks="all"),
    )
    await made.objects.open()
    await made.recorder.open()
    await made.producer.start()
    yield made
    await asyncio.gather(made.producer.stop(), made.recorder.close(), made.warehouse.close(), made.objects.close())


async def test_what_was_deleted_by_hand_is_found_and_comes_back_through_the_stages(pipeline: Pipeline, ledger: Ledger) -> None:
    calls = await pipeline.record("stereo", count=4, dialogue="praise_short", service="acme-support")
    row, result, recording, score = made = [call["inum"] for call in calls]
    rows = await pipeline.until_settled(made)
    await pipeline.assert_consistent(made)

    async def adds_up() -> bool:
        return not await ledger.gaps(calls)

    await pipeline.until("the ledger has no gaps", adds_up)
    await pipeline.rows("DELETE FROM call WHERE call_id = $1", row)
    await pipeline.rows("DELETE FROM scoring_result WHERE call_id = $1", result)
    await ledger.objects._client.delete_object(Bucket=pipeline.settings.bucket, Key=rows[recording].s3_key)
    await ledger.warehouse.command("ALTER TABLE call_scores DELETE WHERE call_id = {id:String} SETTINGS mutations_sync = 1", {"id": score})

    gaps = await ledger.gaps(calls)

    assert {key: gap.remedy for key, gap in gaps.items()} == {
        (Hop.ENRICH, row): Remedy.ENRICH,
        (Hop.EXPORT, result): Remedy.SCORE,
        (Hop.DOWNLOAD, recording): Remedy.COPY,
        (Hop.EXPORT, score): Remedy.EXPORT,
    }
    assert await ledger.mend(gaps) == []
    await pipeline.until_settled(made)
    await pipeline.until("the ledger has no gaps again", adds_up)
    await pipeline.assert_consistent(made)
