"""The operator of a line's databases, as the people's side serves one; it runs in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.integration.voc.line import Line
from tests.web_desk import real_desk, served
from voc_stream.devstack.worker_process import WorkerProcess


@dataclass(frozen=True, slots=True)
class Operating:
    """Asks as an operator of all tenants.

    Attributes:
        client: of the people's side.
        actor: as the audit log has it.
    """

    client: httpx.AsyncClient
    actor: str

    async def asked(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return what a page answers."""
        answer = await self.client.request("GET" if body is None else "POST", path, json=body, timeout=60)
        assert answer.is_success, answer.text
        return answer.json()


@asynccontextmanager
async def operating(line: Line, worker: WorkerProcess, **settings: Any) -> AsyncIterator[Operating]:
    """Lend an operator.

    Args:
        line: whose databases.
        worker: the one beside the people's side.
        settings: of the people's side, on top of the line's.
    """
    own = line.settings.model_copy(update={"kafka_group_id": line.name, "kafka_topics": (line.topic,), **settings})
    async with real_desk(own) as (desk, keyring):
        desk.worker = httpx.AsyncClient(base_url=f"http://127.0.0.1:{worker.port}", timeout=10)
        async with served(desk) as client:
            client.headers.update(keyring.headers("operate", ""))
            yield Operating(client, f"token:{keyring.tokens['', 'operate'].key}")
