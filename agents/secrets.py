"""Secrets in files, followed by each worker (docs/access.md)."""

from __future__ import annotations

from voc_stream.kit import App, Kit
from voc_stream.services.secret_watch import SecretWatch


def attach(app: App, kit: Kit) -> None:
    """Add the worker's loop."""

    @app.task
    async def follow_secrets() -> None:
        """Take up secrets that are changed."""
        if kit.settings.secrets_dir is not None:
            await SecretWatch(kit.settings, kit.db.renew, lambda now: kit.vault.renew(now.encryption_keys, now.pii_key_id)).follow()
