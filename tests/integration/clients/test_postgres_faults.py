"""The pool behind a network that fails: every call ends in time, nothing is half written, and it works again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest

from tests.faults.proxy import FAULTS, HOST, Fault, Proxies, fault_proxies
from voc_stream.clients.postgres import Database
from voc_stream.errors import OutageError, OutsideError, TransientError
from voc_stream.settings import Settings, load_settings

LASTING = [fault for fault in FAULTS if fault is not Fault.FLAPPING]


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    with fault_proxies() as lent:
        yield lent


@pytest.fixture
async def distant(proxies: Proxies, migrated: Settings) -> AsyncIterator[Database]:
    """A pool behind a proxy."""
    dsn = migrated.postgres_dsn.get_secret_value()
    place = f"{urlsplit(dsn).hostname}:{urlsplit(dsn).port}"
    port = proxies.add("postgres", urlsplit(dsn).port or 0)
    made = Database(load_settings(postgres_dsn=dsn.replace(place, f"{HOST}:{port}"), postgres_timeout_seconds=1.0))
    yield made
    proxies.become(Fault.WELL)
    await made.close()


@pytest.mark.parametrize("fault", LASTING)
async def test_a_transaction_that_meets_a_fault_is_whole_or_not_there(db: Database, distant: Database, proxies: Proxies, fault: Fault) -> None:
    async def write() -> None:
        async with distant.transaction() as connection:
            await connection.execute("INSERT INTO agent (agent_id) VALUES ('a1')")
            proxies.become(fault)
            await connection.fetch("INSERT INTO agent (agent_id) SELECT 'b' || i FROM generate_series(1, 500) i RETURNING agent_id")

    with pytest.raises(OutsideError) as caught:
        await write()
    assert isinstance(caught.value, OutageError | TransientError)

    proxies.become(Fault.WELL)
    await distant.probe()
    async with db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM agent") == 0


@pytest.mark.parametrize("fault", [fault for fault in LASTING if fault is not Fault.CUT])
async def test_a_pool_that_was_never_connected_gives_up_in_time(distant: Database, proxies: Proxies, fault: Fault) -> None:
    proxies.become(fault)
    with pytest.raises(OutsideError) as caught:
        await distant.probe()
    assert isinstance(caught.value, OutageError | TransientError)

    proxies.become(Fault.WELL)
    await distant.probe()


async def test_connections_that_a_firewall_forgot_are_given_up_together(distant: Database, proxies: Proxies) -> None:
    everybody_has_one = asyncio.Barrier(4)

    async def hold() -> None:
        async with distant.connection() as connection:
            await connection.execute("SELECT 1")
            await everybody_has_one.wait()

    await asyncio.gather(*(hold() for _ in range(4)))
    proxies.become(Fault.FORGOTTEN)
    with pytest.raises(OutsideError):
        await distant.probe()

    await distant.probe()
    await asyncio.gather(*(hold() for _ in range(4)))
