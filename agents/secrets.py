"""Secrets in files, followed by each worker, and when certificates and tokens end (docs/access.md)."""

from __future__ import annotations

import asyncio

from voc_stream.clients.token_store import TokenStore
from voc_stream.kit import App, Kit
from voc_stream.services.expiry import LOOK_SECONDS, ExpiryWatch
from voc_stream.services.secret_watch import SecretWatch


def attach(app: App, kit: Kit) -> None:
    """Add the worker's loops."""

    @app.task
    async def follow_secrets() -> None:
        """Take up secrets that are changed."""
        if kit.settings.secrets_dir is not None:
            await SecretWatch(kit.settings, kit.db.renew, lambda now: kit.vault.renew(now.encryption_keys, now.pii_key_id)).follow()

    async def look_for_ends() -> None:
        watch = ExpiryWatch(kit.settings, TokenStore(kit.db).soonest_end)
        while not app.should_stop:
            await watch.look()
            await asyncio.sleep(LOOK_SECONDS)

    app.at_start.append(look_for_ends)
