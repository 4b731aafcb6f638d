"""What was put aside is published again when due (spec section 2)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.calls import NOW, enriched, enriched_call, errored, parked
from tests.fakes.call_store import FakeCallStore
from tests.unit.services.made import FakePublisher
from voc_stream.errors import OutageError
from voc_stream.events.base import Decoder
from voc_stream.events.calls import EnrichedCall
from voc_stream.services.redrive import Redriver
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.stages.changes import Status

TOPIC = "calls.enriched"


class Scene:
    def __init__(self, tenants: TenantsFile | None = None) -> None:
        self.store, self.publisher, self.now = FakeCallStore(), FakePublisher(), NOW
        self.redriver = Redriver(
            store=self.store,  # type: ignore[arg-type]
            publisher=self.publisher,
            tenants=tenants or TenantsFile(None),
            topic=TOPIC,
            now=lambda: self.now,
        )


async def test_a_parked_call_is_published_again_when_it_is_due_and_not_before() -> None:
    scene = Scene()
    await scene.store.apply([enriched(), parked("700000000000001", NOW + timedelta(minutes=1))])
    assert await scene.redriver.turn() == 0
    scene.now += timedelta(minutes=1)
    assert await scene.redriver.turn() == 1
    assert await scene.redriver.turn() == 0

    (record,) = scene.publisher.published
    assert Decoder(EnrichedCall)(record.value) == enriched_call()
    assert record.key == b"700000000000001"


async def test_a_failed_call_goes_back_to_pending_while_attempts_remain() -> None:
    scene = Scene()
    await scene.store.apply([enriched(), errored("700000000000001")])
    scene.now += timedelta(days=1)

    assert await scene.redriver.turn() == 1
    assert await scene.store.status("700000000000001") is Status.PENDING_DOWNLOAD


async def test_what_kafka_does_not_acknowledge_stays_due() -> None:
    scene = Scene()
    await scene.store.apply([enriched(), parked("700000000000001", NOW)])
    scene.publisher.faults.append(OutageError("kafka", "no broker"))
    with pytest.raises(OutageError):
        await scene.redriver.turn()

    assert await scene.redriver.turn() == 1


async def test_a_call_without_a_tenant_is_published_again_once_its_service_is_mapped(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text("", encoding="utf-8")
    scene = Scene(TenantsFile(file))
    await scene.store.apply([enriched(enriched_call(tenant_id="unassigned"))])
    assert await scene.redriver.turn() == 0
    file.write_text('[services]\n"acme-*" = "acme"\n', encoding="utf-8")

    assert await scene.redriver.turn() == 1
    call = Decoder(EnrichedCall)(scene.publisher.published[0].value)
    assert isinstance(call, EnrichedCall)
    assert call.tenant_id == "acme"
    assert await scene.redriver.turn() == 0


async def test_what_one_redriver_has_in_hand_another_leaves_alone() -> None:
    scene = Scene()
    await scene.store.apply([enriched(), parked("700000000000001", NOW)])
    async with scene.store.due(10, NOW) as due:
        assert len(due) == 1
        assert await scene.redriver.turn() == 0
