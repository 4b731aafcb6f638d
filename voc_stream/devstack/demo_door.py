"""The demo's way in: an address, and a token that opens everything for a week."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from itertools import chain

from voc_stream.clients.postgres import Database
from voc_stream.clients.token_store import TokenStore
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.ports import free_port, is_free
from voc_stream.security.tokens import new_token
from voc_stream.settings import Settings

PORT = 8000
PORTS_TO_TRY = 20
DAYS = 7
PATIENCE_SECONDS = 90.0


def people_port() -> int:
    """Return HTTP_PORT's default, or one near it that is free."""
    return next(port for port in chain(range(PORT, PORT + PORTS_TO_TRY), [free_port()]) if is_free(port))


async def make_token(settings: Settings) -> str:
    """Make a token for all tenants that may do everything, and return it.

    Raises:
        OutsideError: PostgreSQL failed.
    """
    token = new_token()
    db = Database(settings)
    try:
        until = datetime.now(UTC) + timedelta(days=DAYS)
        await TokenStore(db).add(token, tenant_id=None, scopes=["admin"], expires_at=until, label="demo", actor="demo")
    finally:
        await db.close()
    return token.text


def wait_open(port: int) -> None:
    """Wait until the people's side answers.

    Raises:
        StackError: it does not in time.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise StackError(f"the people's side does not answer at port {port}: {error}") from None
            time.sleep(0.2)
