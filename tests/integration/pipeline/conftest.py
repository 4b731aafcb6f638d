"""One worker and one set of clients for all; a test that needs other settings of the worker says so by a `worker_settings` fixture of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.pipeline.pipeline import TENANTS, Pipeline, Workshop
from tests.integration.pipeline.store import BucketView, bucket_view
from voc_stream.clients.postgres import Database
from voc_stream.devstack.audit import Audit
from voc_stream.devstack.simulator import Simulator
from voc_stream.devstack.stack import Stack
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.settings import Settings, load_settings

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests share one event loop, and so the clients, which take a second to make."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="package")
def workshop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    shared = Workshop(stack, tmp_path_factory.mktemp("pipeline"))
    shared.tenants_file.write_text(TENANTS)
    yield shared
    shared.close()


@pytest.fixture(scope="package")
def stack_settings(stack: Stack) -> Settings:
    return load_settings(**{name.lower(): value for name, value in stack.endpoints.items() if name.lower() in Settings.model_fields})


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def audit(stack_settings: Settings) -> AsyncIterator[Audit]:
    async with Audit(stack_settings) as lent:
        yield lent


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def database(stack_settings: Settings) -> AsyncIterator[Database]:
    made = Database(stack_settings)
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def bucket(stack_settings: Settings) -> AsyncIterator[BucketView]:
    async with bucket_view(stack_settings) as view:
        yield view


@pytest.fixture
def worker_settings() -> Mapping[str, str]:
    """The worker's environment over the tests' pace."""
    return {}


@pytest.fixture
def worker(workshop: Workshop, worker_settings: Mapping[str, str]) -> WorkerProcess:
    """A worker that is ready. Started on the main thread: the kernel ends it with the thread that began it."""
    return workshop.running(worker_settings)


@pytest_asyncio.fixture(loop_scope="session")
async def pipeline(workshop: Workshop, worker: WorkerProcess, stack_settings: Settings, audit: Audit, database: Database) -> AsyncIterator[Pipeline]:
    """The worker at work, a recorder without faults."""
    lent = Pipeline(workshop, stack_settings, audit, database, worker, Simulator(workshop.stack.endpoints))
    yield lent
    await lent.mend()
