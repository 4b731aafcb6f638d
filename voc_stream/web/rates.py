"""How much one may ask: a rate for each address, a rate and a daily quota for each tenant, few guesses at credentials.

Counted in this process: of several web processes each allows as much.
"""

from __future__ import annotations

import time

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from voc_stream.settings import Settings
from voc_stream.web.metrics import REFUSED
from voc_stream.web.problems import Problem

# Callers of all tenants share this name.
EVERYBODY = "*"


class Rates:
    """Counts, and refuses with 429 and Retry-After.

    Args:
        settings: HTTP_PEER_RATE, HTTP_WRONG_CREDENTIALS, HTTP_TENANT_RATE, HTTP_TENANT_QUOTA.
    """

    def __init__(self, settings: Settings) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._of_peer = RateLimitItemPerSecond(settings.http_peer_rate, namespace="peer")
        self._of_tenant = RateLimitItemPerSecond(settings.http_tenant_rate, namespace="tenant")
        self._quota = RateLimitItemPerDay(settings.http_tenant_quota, namespace="quota")
        self._guesses = RateLimitItemPerMinute(settings.http_wrong_credentials, namespace="guesses")

    async def of_peer(self, address: str) -> None:
        """Count a request of an address.

        Raises:
            Problem: 429.
        """
        await self._hit(self._of_peer, address, "peer_rate", "too many requests from this address")

    async def of_tenant(self, tenant_id: str | None) -> None:
        """Count a request of a tenant, None: of a caller of all tenants.

        Raises:
            Problem: 429, for the rate or the day's quota.
        """
        whose = tenant_id or EVERYBODY
        await self._hit(self._of_tenant, whose, "tenant_rate", "too many requests of this tenant")
        await self._hit(self._quota, whose, "tenant_quota", "this tenant's requests of today are used up")

    async def wrong_credential(self, address: str) -> None:
        """Count a wrong credential. Right ones pass all the same: a secret of 128 bits is not guessed, and many people share an address.

        Raises:
            Problem: 429: too many guesses.
        """
        await self._hit(self._guesses, address, "guesses", "too many wrong credentials from this address")

    async def _hit(self, limit: RateLimitItem, whose: str, reason: str, said: str) -> None:
        if await self._limiter.hit(limit, whose):
            return
        REFUSED.labels(reason).inc()
        stats = await self._limiter.get_window_stats(limit, whose)
        raise Problem(429, said, retry_after=stats.reset_time - time.time())
