"""What the people's side works with, made once and handed to every route: stores and clients, and no Faust."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

import httpx
from fastapi import Depends, Request

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.reader import reader, timed
from voc_stream.clients.session_store import SessionStore
from voc_stream.clients.token_store import TokenStore
from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger
from voc_stream.security.vault import Vault
from voc_stream.services.secret_watch import SecretWatch
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.settings import Settings
from voc_stream.web.credentials import Credentials
from voc_stream.web.rates import Rates

logger = get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Desk:
    """The tools of the people's side. Those that ask the outside have HTTP_QUERY_SECONDS for it.

    Attributes:
        reader: of PostgreSQL, for what only reads.
        rates: counts what callers ask.
        following: takes up secrets that are changed while this runs.
        credentials: tells who is asking.
        worker: asks the worker's own pages on loopback; None where no worker started this process.
        parts: what a router made for itself, by its name; closed with the rest where it has `close()`.
    """

    settings: Settings
    db: Database
    reader: Database
    warehouse: Warehouse
    objects: ObjectStore
    vault: Vault
    tenants: TenantsFile
    rates: Rates
    credentials: Credentials
    following: asyncio.Task[None] | None = None
    worker: httpx.AsyncClient | None = None
    parts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, worker: int | None = None) -> Self:
        """Make it; nothing is connected yet.

        Args:
            settings: all of them.
            worker: the operator's port of the worker that started this process.

        Raises:
            FileError: the tenants file cannot be used.
        """
        seconds = settings.http_query_seconds
        hasty = settings.model_copy(update={"postgres_timeout_seconds": seconds, "clickhouse_timeout_seconds": seconds})
        db = Database(hasty, timed(seconds))
        return cls(
            settings=settings,
            db=db,
            reader=reader(hasty, seconds=seconds),
            warehouse=Warehouse(hasty, query_seconds=seconds),
            objects=ObjectStore(settings),
            vault=Vault(settings.encryption_keys, settings.pii_key_id),
            tenants=TenantsFile(settings.tenants_file),
            rates=Rates(settings),
            credentials=Credentials(TokenStore(db), SessionStore(db), settings),
            worker=None if worker is None else _worker_at(settings, worker),
        )

    async def open(self) -> None:
        """Open the clients that want it; none of the servers need be up."""
        await self.objects.open()
        await self.credentials.open()
        if self.settings.secrets_dir is not None:
            watch = SecretWatch(
                self.settings,
                self.db.renew,
                self.reader.renew,
                self.credentials.renew,
                lambda now: self.vault.renew(now.encryption_keys, now.pii_key_id),
            )
            self.following = asyncio.create_task(watch.follow())

    async def close(self) -> None:
        """Close the clients."""
        if self.following is not None:
            self.following.cancel()
        if self.worker is not None:
            await self.worker.aclose()
        for part in (*self.parts.values(), self.credentials, self.warehouse, self.objects, self.reader, self.db):
            close = getattr(part, "close", None)
            if close is None:
                continue
            try:
                await close()
            except OutsideError as error:
                logger.warning("a client was not closed cleanly", dependency=error.dependency, reason=error.reason)


def _worker_at(settings: Settings, port: int) -> httpx.AsyncClient:
    """Return a client of the worker's own pages; where they listen everywhere, they are asked on loopback."""
    host = "127.0.0.1" if settings.operator_host in {"0.0.0.0", "::"} else settings.operator_host  # noqa: S104 - compared, not bound
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return httpx.AsyncClient(base_url=base, timeout=settings.http_query_seconds, trust_env=False, limits=httpx.Limits(max_connections=4))


def desk_of(request: Request) -> Desk:
    """Return the desk of the application that serves the request."""
    desk: Desk = request.app.state.desk
    return desk


async def _desk(request: Request) -> Desk:
    """Return it to a route; a dependency that is no coroutine costs a turn of the thread pool."""
    return desk_of(request)


# A route's parameter `desk: AtDesk`.
AtDesk = Annotated[Desk, Depends(_desk)]
