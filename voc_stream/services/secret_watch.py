"""Secrets that change while the process runs: read again, checked with all other settings, and handed to who uses them (docs/access.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from voc_stream.logs import get_logger
from voc_stream.security.secret_files import SecretFiles
from voc_stream.settings import Settings

logger = get_logger(__name__)

# Of these a new value needs no restart. Webhooks' secrets are looked up by the alerts file, certificates by the server.
FOLLOWED = ("oidc_client_secret", "pii_key_id", "pii_keys", "postgres_password")
LOOK_SECONDS = 2.0

Renew = Callable[[Settings], None]


class SecretWatch:
    """Looks at SECRETS_DIR. What cannot be used, such as a PII_KEY_ID without its key, is reported, and what held before stays.

    Args:
        settings: as the process started with.
        renew: told of the settings with the new secrets.
    """

    def __init__(self, settings: Settings, *renew: Renew) -> None:
        self._settings = settings
        self._renew = renew
        self._files = SecretFiles(settings.secrets_dir)
        self._stamp = self._files.stamp()

    async def follow(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> bool:
        """Take up what has changed; return whether there was something."""
        stamp = self._files.stamp()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        named = {name.lower(): name for name in self._files}
        try:
            settings = _with(self._settings, {name: self._files[named[name]] for name in FOLLOWED if name in named})
        except (ValueError, KeyError):  # pydantic's error is a ValueError
            logger.error("a secret that was changed cannot be used: what held before stays", settings=sorted(set(FOLLOWED) & set(named)))
            return False
        changed = [name for name in FOLLOWED if getattr(settings, name) != getattr(self._settings, name)]
        self._settings = settings
        for tell in self._renew:
            tell(settings)
        logger.info("secrets were read again", settings=changed)
        return bool(changed)


def _with(settings: Settings, found: dict[str, str]) -> Settings:
    if emptied := [name for name, value in found.items() if not value and getattr(settings, name)]:
        raise ValueError(f"{emptied[0]} is empty")
    values: dict[str, Any] = settings.model_dump() | found
    return Settings(**values)
