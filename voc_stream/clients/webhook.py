"""Posts signed alerts to addresses that tenants gave: nothing there is trusted (docs/alerts.md tells receivers how to verify)."""

from __future__ import annotations

import hashlib
import hmac
import socket
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import aiohttp

from voc_stream.clients.http_faults import HTTP_FAULTS, connection_fault, status_fault
from voc_stream.errors import RejectedError
from voc_stream.security.addresses import is_allowed
from voc_stream.settings import Settings
from voc_stream.stages.alert_rules import Webhook

DEPENDENCY = "webhook"
KEY_HEADER = "Idempotency-Key"
TIMESTAMP_HEADER = "X-VoC-Timestamp"
SIGNATURE_HEADER = "X-VoC-Signature"

_FORBIDDEN = "its address is private, loopback or link-local (ALERT_WEBHOOK_ALLOW_PRIVATE)"


class ForbiddenAddressError(RejectedError):
    """Nothing was sent: the webhook leads to an address that no tenant may make us connect to."""

    def __init__(self) -> None:
        super().__init__(DEPENDENCY, _FORBIDDEN)


class WebhookClient:
    """A new connection for each post, to no address but an allowed one; redirects are not followed, answers are not read beyond their head.

    Args:
        settings: ALERT_WEBHOOK_ALLOW_PRIVATE, ALERT_WEBHOOK_TIMEOUT_SECONDS.
        clock: Unix time in seconds, which is signed.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session; nobody is asked yet."""
        total = self._settings.alert_webhook_timeout_seconds
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, use_dns_cache=False, socket_factory=self._socket),
            timeout=aiohttp.ClientTimeout(total=total, sock_connect=min(5.0, total)),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "voc-stream"},
        )

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, webhook: Webhook, key: UUID, body: bytes) -> None:
        """Post an alert; returns when the receiver answered 2xx.

        Args:
            webhook: where to, and the key of the signature.
            key: the idempotency key.
            body: JSON, sent as it is.

        Raises:
            ForbiddenAddressError: its address is not allowed, and was not connected to.
            OutsideError: anything else; the reason names neither address nor URL.
        """
        if self._session is None:
            msg = "the webhook client is not open"
            raise RuntimeError(msg)
        headers = {"Content-Type": "application/json", KEY_HEADER: str(key)} | signed(webhook.secret, int(self._clock()), body)
        try:
            async with self._session.post(webhook.url, data=body, headers=headers, allow_redirects=False) as response:
                if not 200 <= response.status < 300:
                    raise status_fault(DEPENDENCY, response)
        except aiohttp.InvalidURL:
            raise RejectedError(DEPENDENCY, "its URL cannot be used") from None
        except HTTP_FAULTS as error:
            if isinstance(error, aiohttp.ClientConnectorError) and str(error.os_error) == _FORBIDDEN:
                raise ForbiddenAddressError from None
            raise connection_fault(DEPENDENCY, error) from error

    def _socket(self, address: Any) -> socket.socket:
        """Make the socket for an address that is connected to next: there is no second look-up that could give another one.

        Raises:
            OSError: the address is not allowed; the next one, if there is one, is tried.
        """
        family, kind, protocol, _, destination = address
        if not is_allowed(destination[0], private=self._settings.alert_webhook_allow_private):
            raise OSError(_FORBIDDEN)
        return socket.socket(family, kind, protocol)


def signed(secret: bytes, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove who sent a body and when: HMAC-SHA256 over `timestamp.body`."""
    digest = hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return {TIMESTAMP_HEADER: str(timestamp), SIGNATURE_HEADER: f"sha256={digest}"}
