"""Calls that went all the way, in topics, databases and a bucket of a test's own; the recorder is the fake, and no worker runs."""

from __future__ import annotations

import dataclasses
import io
import uuid
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import OffsetAndMetadata

from tests.calls import scored, scoring_result
from tests.databases import own_schema, own_warehouse
from tests.fakes.privacy import AsTheyCame
from tests.fakes.recorder import FakeRecorder
from tests.voc import block_of
from voc_stream import bucket, migrate
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.completeness_rows import CompletenessRows
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.composite_table import CompositeTable
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.recordings import Recordings
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.clients.voc_feelings import VocFeelings
from voc_stream.events.base import encode
from voc_stream.events.calls import EnrichedCall, RawCall, ScoringResult, Transcript, Turn
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.security.vault import Vault
from voc_stream.services.annotating import Annotating
from voc_stream.services.composite import Composite
from voc_stream.services.mend import Mended, Mender, Tools
from voc_stream.services.poller import SWEEP, WINDOW, sealed_call
from voc_stream.services.reconcile import Places, Reconciler
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.settings import Settings
from voc_stream.stages.annotation import NOTHING
from voc_stream.stages.changes import At, Downloaded, Exported
from voc_stream.stages.completeness import Equation, Gap, Hop, Names
from voc_stream.stages.composite import Weights
from voc_stream.stages.download import accept
from voc_stream.stages.enrich import enrich
from voc_stream.stages.export import call_event
from voc_stream.stages.keys import transcript_key
from voc_stream.stages.outcome import Facts, Ok
from voc_stream.stages.outside import Segment
from voc_stream.stages.ranges import Place
from voc_stream.stages.tenants import TenantMap
from voc_stream.topic_admin import create_missing
from voc_stream.topics import Topic

PARTITIONS = 2
HOUR = timedelta(hours=1)
TENANTS = TenantMap(services={"acme-*": "acme", "globex-*": "globex"})


class Publisher:
    """Publishes with a producer of its own."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        sent = [await self._producer.send_and_wait(each.topic, each.value, each.key, headers=list(each.headers)) for each in records]
        return [metadata.offset for metadata in sent]


class OneTenantsFile(TenantsFile):
    """A tenants file that is not one."""

    def __init__(self) -> None:
        super().__init__(None)

    def current(self) -> TenantMap:
        return TENANTS


@dataclass(slots=True)
class World:
    """One test's places, and the hour whose calls lie there."""

    settings: Settings
    names: Names
    hour: datetime
    admin: AIOKafkaAdminClient
    producer: AIOKafkaProducer
    db: Database
    objects: ObjectStore
    warehouse: Warehouse
    calls: CallStore
    recorder: FakeRecorder = field(default_factory=FakeRecorder)
    tenants: TenantsFile = field(default_factory=OneTenantsFile)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def vault(self) -> Vault:
        """The keys of the settings."""
        return Vault(self.settings.encryption_keys, self.settings.pii_key_id)

    # filling it

    def at_recorder(self, call_id: str, *, minute: int = 5, service: str = "acme-support") -> Segment:
        """Have the recorder know a call."""
        started_at = self.hour + timedelta(minutes=minute)
        ended_at = started_at + timedelta(seconds=90)
        segment = Segment(inum=call_id, started_at=started_at, ended_at=ended_at, raw_agent="4603 (a.1)", service=service, udfs="card=1")
        self.recorder.add(segment, recording(call_id))
        return segment

    async def lived(self, call_id: str, *, partition: int = 0, service: str = "acme-support") -> None:
        """Have a call known by every place, as the pipeline leaves it."""
        raw = sealed_call(self.at_recorder(call_id, service=service), "", self.vault, self.tenants)
        assert raw is not None
        call = await self._enriched(raw, partition)
        await self._downloaded(call)
        result = await self._scored(call)
        await self._told(result, partition)

    async def write(self, topic: str, key: str, value: bytes, *, partition: int = 0, commit: bool = True) -> int:
        """Write a record as of the hour; the group is done with it, unless `commit` is off."""
        written_at = int((self.hour + timedelta(minutes=10)).timestamp() * 1000)
        sent = await self.producer.send_and_wait(topic, value, key.encode(), partition=partition, timestamp_ms=written_at)
        offset: int = sent.offset
        if commit:
            self.ends[topic, partition] = offset + 1
        return offset

    async def settle(self) -> None:
        """Have the group's offsets where they are, and the poller up to date."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=list(self.settings.kafka_bootstrap), group_id=self.settings.kafka_group_id, enable_auto_commit=False
        )
        await consumer.start()
        try:
            offsets = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in self.ends.items()}
            consumer.assign(list(offsets))
            await consumer.commit(offsets)
        finally:
            await consumer.stop()
        now = datetime.now(UTC)
        for checkpoint in (WINDOW, SWEEP):
            await self.calls.save_checkpoint(checkpoint, now - HOUR, now)
        await self.execute("UPDATE ingestion_checkpoint SET created_at = $1", self.hour - HOUR)

    async def execute(self, statement: str, *values: object) -> None:
        """Do something to PostgreSQL by hand."""
        async with self.db.connection() as connection:
            await connection.execute(statement, *values)

    async def delete_rows(self, table: str, call_id: str) -> None:
        """Delete a call's rows of a table of ClickHouse by hand."""
        await self.warehouse.command(f"ALTER TABLE {table} DELETE WHERE call_id = {{id:String}} SETTINGS mutations_sync = 1", {"id": call_id})

    async def delete_object(self, call_id: str) -> None:
        """Delete a call's recording by hand."""
        key = await self.value("SELECT s3_key FROM audio_asset WHERE call_id = $1", call_id)
        await self.objects._client.delete_object(Bucket=self.settings.bucket, Key=key)

    async def delete_records(self, topic: str, before: int, *, partition: int = 0) -> None:
        """Delete a partition's records before an offset by hand."""
        await self.admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before)})

    # looking at it

    async def value(self, statement: str, *values: object) -> Any:
        """Return one value of PostgreSQL."""
        async with self.db.connection() as connection:
            return await connection.fetchval(statement, *values)

    async def keys(self, topic: str) -> list[str]:
        """Return the keys of a topic's records."""
        async with TopicReader(self.settings) as reader:
            stretches = await reader.stretches(topic, self.hour - HOUR)
            spans = {number: (each.begins, each.end) for number, each in stretches.items()}
            return sorted([record.key.decode() async for records in reader.read(topic, spans) for record in records])

    def reconciler(self) -> Reconciler:
        """Return what examines this world, an hour from now."""
        places = Places(
            recorder=self.recorder, checkpoints=self.calls, objects=self.objects, warehouse=self.warehouse, db=self.db, tenants=self.tenants
        )
        return Reconciler(places, self.settings, names=self.names, now=lambda: datetime.now(UTC) + HOUR)

    async def examined(self) -> list[Equation]:
        """Return what the hour comes to."""
        async with TopicReader(self.settings) as reader:
            reconciler = self.reconciler()
            return await reconciler.examine(self.hour, await reconciler.standing(reader), reader)

    async def mended(self, gaps: Sequence[Gap]) -> Mended:
        """Close gaps."""
        async with TopicReader(self.settings) as reader:
            return await Mender(self.tools(), reader).mend(gaps)

    def tools(self) -> Tools:
        """Return what gaps are closed with."""
        return Tools(
            calls=self.calls,
            rows=CompletenessRows(self.db),
            objects=self.objects,
            recorder=self.recorder,
            recordings=Recordings(self.recorder, self.objects),
            warehouse=self.warehouse,
            composite=Composite(CompositeStore(self.db), CompositeTable(self.warehouse), VocFeelings(self.warehouse), Weights),
            privacy=AsTheyCame(),
            annotating=Annotating(None),
            publisher=Publisher(self.producer),
            vault=self.vault,
            tenants=self.tenants,
            settings=self.settings,
            names=self.names,
        )

    def at(self, topic: str, offset: int = -1, partition: int = -1) -> At:
        """Return the coordinates of a change, as of the hour."""
        return At(self.hour + timedelta(minutes=10), topic, partition, offset)

    async def _enriched(self, raw: RawCall, partition: int) -> EnrichedCall:
        offset = await self.write(self.names.raw, raw.call_id, encode(raw), partition=partition)
        outcome = enrich(raw, Facts(self.hour, self.names.raw, partition, offset), TENANTS, self.names.enriched)
        assert isinstance(outcome, Ok)
        assert outcome.change is not None
        await self.calls.apply([outcome.change])
        call = outcome.out[0].value
        assert isinstance(call, EnrichedCall)
        return call

    async def _downloaded(self, call: EnrichedCall) -> None:
        copied = await Recordings(self.recorder, self.objects).copy(call, call.call_id)
        outcome = accept(call, copied, Facts(self.hour, "", -1, -1), self.names.ready)
        assert isinstance(outcome, Ok)
        assert isinstance(outcome.change, Downloaded)
        await self.calls.apply([outcome.change])

    async def _scored(self, call: EnrichedCall) -> ScoringResult:
        key = transcript_key(call.call_id, "none", call.started_at)
        words = Transcript(turns=(Turn(speaker="customer", start=0.0, end=1.0, text="thank you"),))
        await self.objects.put_bytes(key, msgspec.json.encode(words), content_type="application/json", metadata={}, tags={})
        result = msgspec.structs.replace(scoring_result(call, scored_at=self.hour + timedelta(minutes=9)), transcript_key=key)
        await self.calls.apply([scored(result)])
        await self.warehouse.insert_scores([result], f"{self.names.results}:{call.call_id}")
        await self.calls.apply([Exported(call.call_id, result.model_version, self.at(self.names.results))])
        return result

    async def _told(self, result: ScoringResult, partition: int) -> None:
        words = Transcript(turns=(Turn(speaker="customer", start=0.0, end=1.0, text="thank you"),))
        await self.stored(encode(call_event(result, words)), key=result.call_id, partition=partition)

    async def stored(self, value: bytes, *, key: str = "k", partition: int = 0) -> int:
        """Write a customer event and store it, as the pipeline does."""
        topic = self.names.events
        offset = await self.write(topic, key, value, partition=partition)
        block = block_of([(value, NOTHING)], offset, Place("1", topic, partition), int((self.hour + timedelta(minutes=11)).timestamp() * 1000))
        await self.warehouse.insert_events(block, f"1:{topic}:{partition}:{offset}-{offset}")
        return offset


def recording(call_id: str) -> bytes:
    """Return a second of audio that is this call's alone."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(call_id.encode().ljust(16, b"-") * 1000)
    return buffer.getvalue()


def gaps_by_subject(equations: Sequence[Equation]) -> dict[tuple[Hop, str], Gap]:
    """Return every gap that has a name."""
    return {(equation.hop, gap.subject): gap for equation in equations for gap in equation.gaps}


@asynccontextmanager
async def places(settings: Settings) -> AsyncIterator[Settings]:
    """Lend settings of databases and a bucket that hold nothing yet."""
    lines: list[str] = []
    with own_schema(settings) as with_schema:
        async with own_warehouse(with_schema) as own:
            given = own.model_copy(update={"s3_bucket": f"ledger-{uuid.uuid4().hex[:8]}", "reconcile_settle_seconds": 1.0, "voc_annotate": "off"})
            assert await migrate.run(given, lines.append) == 0, lines
            assert await bucket.run(given, lines.append) == 0, lines
            try:
                yield given
            finally:
                await _remove_bucket(given)


@asynccontextmanager
async def world(given: Settings) -> AsyncIterator[World]:
    """Lend an empty world in these places; its topics are gone afterwards."""
    name = f"ledger-{uuid.uuid4().hex[:8]}"
    names = Names(**{field: f"{name}.{field}" for field in ("polled", "raw", "enriched", "ready", "results", "events")})
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    own = given.model_copy(update={"kafka_group_id": name, "kafka_topics": (names.events,)})
    async with AsyncExitStack() as stack:
        admin = AIOKafkaAdminClient(bootstrap_servers=list(own.kafka_bootstrap))
        await admin.start()
        stack.push_async_callback(admin.close)
        made = [Topic(each, "call_id", PARTITIONS, 7 * 86_400) for each in (*dataclasses.asdict(names).values(), f"{name}-event-ranges-changelog")]
        await create_missing(admin, made, 1)
        stack.push_async_callback(admin.delete_topics, [topic.name for topic in made])
        producer = AIOKafkaProducer(bootstrap_servers=list(own.kafka_bootstrap), acks="all")
        await producer.start()
        stack.push_async_callback(producer.stop)
        db, objects, warehouse = Database(own), ObjectStore(own), Warehouse(own)
        await objects.open()
        for client in (objects, warehouse, db):
            stack.push_async_callback(client.close)
        lent = World(own, names, hour, admin, producer, db, objects, warehouse, CallStore(db, Vault(own.encryption_keys, own.pii_key_id), own))
        await lent.execute("TRUNCATE call, call_event, ingestion_checkpoint, dead_letter, completeness, completeness_hour, call_composite CASCADE")
        for table in ("voc_events", "voc_sums", "voc_minutes", "voc_offsets", "voc_forgotten", "call_scores", "call_composite"):
            await warehouse.command(f"TRUNCATE TABLE {table}")
        yield lent


async def _remove_bucket(settings: Settings) -> None:
    """Remove the bucket with every version of what is in it."""
    objects = ObjectStore(settings)
    await objects.open()
    client, where = objects._client, {"Bucket": settings.bucket}
    found = await client.list_object_versions(**where)
    for each in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())):
        await client.delete_object(**where, Key=each["Key"], VersionId=each["VersionId"])
    await client.delete_bucket(**where)
    await objects.close()
