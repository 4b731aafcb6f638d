"""S3 behind a network that fails: every call ends in time with the error that says what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from tests.faults.proxy import FAULTS, HOST, Fault, Proxies, fault_proxies
from voc_stream.clients.object_store import ObjectStore
from voc_stream.errors import OutageError, OutsideError, TransientError
from voc_stream.settings import Settings
from voc_stream.stages.outside import Stored

PART = 5 << 20
LONG = 4 * PART
LASTING = [fault for fault in FAULTS if fault is not Fault.FLAPPING]


def _tags(_: Stored) -> dict[str, str]:
    return {"call_id": "long"}


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    moto = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    moto.start()
    yield moto.get_host_and_port()[1]
    moto.stop()


@pytest.fixture
def proxies(behind: int) -> Iterator[Proxies]:
    with fault_proxies() as lent:
        lent.add("s3", behind)
        yield lent


@pytest.fixture
async def store(proxies: Proxies, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ObjectStore]:
    monkeypatch.setattr("voc_stream.clients.object_store._SLOWEST_UPLOAD", PART)
    made = ObjectStore(
        Settings(
            s3_endpoint_url=f"http://{HOST}:{proxies.port('s3')}",
            s3_access_key_id="key",
            s3_secret_access_key=SecretStr("secret"),
            s3_bucket="faults",
            s3_timeout_seconds=3.0,
        )
    )
    await made.open()
    await made._client.create_bucket(Bucket="faults")
    await made.put_bytes("known", bytes(1 << 20), content_type="audio/wav", metadata={}, tags={})
    yield made
    proxies.become(Fault.WELL)
    await made.close()


async def stream(size: int, *, then: Proxies, fault: Fault) -> AsyncIterator[bytes]:
    """Yield so many bytes; in the middle of them S3 begins to fail."""
    for at in range(0, size, 64 << 10):
        if at == size // 2:
            then.become(fault)
        yield bytes(64 << 10)


@pytest.mark.parametrize("fault", LASTING)
async def test_an_object_that_cannot_be_read_is_an_attempt_that_failed_or_an_outage(store: ObjectStore, proxies: Proxies, fault: Fault) -> None:
    proxies.become(fault)
    with pytest.raises(OutsideError) as caught:
        await store.get_bytes("known", 2 << 20)
    assert isinstance(caught.value, OutageError | TransientError)

    proxies.become(Fault.WELL)
    assert len(await store.get_bytes("known", 2 << 20)) == 1 << 20


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.REFUSING, Fault.HALF_OPEN])
async def test_an_upload_that_meets_a_fault_ends_in_time_and_passes_when_it_is_tried_again(
    store: ObjectStore, proxies: Proxies, fault: Fault
) -> None:
    with pytest.raises(OutsideError) as caught:
        await store.put_stream("long", stream(LONG, then=proxies, fault=fault), content_type="audio/wav", metadata=dict, tags=_tags)
    assert isinstance(caught.value, OutageError | TransientError)

    proxies.become(Fault.WELL)
    await store.put_stream("long", stream(LONG, then=proxies, fault=Fault.WELL), content_type="audio/wav", metadata=dict, tags=_tags)
    head = await store.head("long")
    assert head is not None
    assert head.size == LONG
