"""Empties the outbox of alerts: to `voc.alerts`, and to the tenants' webhooks, none of which can hold up another's (docs/alerts.md)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol, get_args
from uuid import UUID

from voc_stream.clients.webhook import ForbiddenAddressError
from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Publishes
from voc_stream.services.alerts_file import AlertsFile
from voc_stream.stages.alert_rules import Webhook
from voc_stream.stages.outbox import PACE, Channel, Entry

logger = get_logger(__name__)

AT_ONCE = 200
# Posts under way at most; one a tenant.
POSTS = 16


class Outbox(Protocol):
    """What `AlertOutbox` does."""

    async def take(self, channel: Channel, limit: int, now: datetime, busy: Collection[str] = ()) -> list[Entry]:
        """Take due entries for a while."""
        ...

    async def sent(self, keys: Sequence[UUID], now: datetime) -> None:
        """Note what was acknowledged."""
        ...

    async def failed(self, keys: Sequence[UUID], next_attempt_at: datetime, reason: str) -> None:
        """Note what was not."""
        ...

    async def remove(self, key: UUID) -> None:
        """Remove what has no receiver any more."""
        ...

    async def oldest(self) -> dict[Channel, datetime]:
        """Return since when entries wait."""
        ...

    async def forget(self, now: datetime) -> None:
        """Remove what was sent long ago."""
        ...


class Posts(Protocol):
    """What `WebhookClient` does."""

    async def post(self, webhook: Webhook, key: UUID, body: bytes) -> None:
        """Post; returns when it was acknowledged."""
        ...


class AlertSender:
    """Sends what is due; any number of replicas may do so at once.

    Args:
        outbox: PostgreSQL.
        publisher: Kafka.
        webhooks: the client.
        file: where the webhooks are.
        topic: of the alerts.
        now: replaced in tests.
        chance: random numbers from 0 to 1; replaced in tests.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        publisher: Publishes,
        webhooks: Posts,
        file: AlertsFile,
        topic: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._webhooks = webhooks
        self._file = file
        self._topic = topic
        self._now = now
        self._chance = chance
        self._posting: dict[str, asyncio.Task[None]] = {}

    async def publish(self) -> int:
        """Publish what is due to the topic, an episode's beginning before its end; returns how many.

        Raises:
            OutsideError: Kafka or PostgreSQL failed; what was not acknowledged is taken again soon, or else when the lease is over.
        """
        published = 0
        while entries := await self._outbox.take("topic", AT_ONCE, self._now()):
            keys = [entry.key for entry in entries]
            try:
                await self._publisher.publish([Outgoing(self._topic, entry.tenant_id.encode(), entry.body) for entry in entries])
            except OutsideError as error:
                await self._outbox.failed(keys, self._now() + timedelta(seconds=PACE.base), error.reason)
                raise
            await self._outbox.sent(keys, self._now())
            published += len(entries)
        return published

    async def post(self) -> int:
        """Begin to post what is due, without waiting for slow receivers; returns how many posts were begun.

        Raises:
            OutsideError: PostgreSQL failed, now or at the end of a post.
        """
        self._collect()
        free = POSTS - len(self._posting)
        entries = await self._outbox.take("webhook", free, self._now(), self._posting.keys()) if free else []
        for entry in entries:
            self._posting[entry.tenant_id] = asyncio.create_task(self._post(entry), name=f"post {entry.key}")
        return len(entries)

    async def measure(self) -> None:
        """Keep `voc_alert_outbox_oldest_seconds` true, on every replica."""
        now, oldest = self._now(), await self._outbox.oldest()
        for channel in get_args(Channel):
            age = (now - oldest[channel]).total_seconds() if channel in oldest else 0.0
            metrics.ALERT_OUTBOX_AGE.labels(channel).set(max(0.0, age))

    async def forget(self) -> int:
        """Remove what was sent long ago."""
        await self._outbox.forget(self._now())
        return 0

    async def settled(self) -> None:
        """Wait until every post that was begun has ended."""
        await asyncio.gather(*self._posting.values(), return_exceptions=True)

    async def close(self) -> None:
        """Give up the posts under way; another replica takes them over when their lease is over."""
        for task in self._posting.values():
            task.cancel()
        await self.settled()
        self._posting.clear()

    def _collect(self) -> None:
        done = [tenant_id for tenant_id, task in self._posting.items() if task.done()]
        errors = [self._posting.pop(tenant_id).exception() for tenant_id in done]
        for error in filter(None, errors):
            raise error

    async def _post(self, entry: Entry) -> None:
        webhook = self._file.current().of(entry.tenant_id).webhook
        about = {"tenant_id": entry.tenant_id, "key": str(entry.key), "attempt": entry.attempt}
        if webhook is None:
            await self._outbox.remove(entry.key)
            logger.warning("an alert is not posted: the tenant has no webhook any more", **about)
            return
        try:
            await self._webhooks.post(webhook, entry.key, entry.body)
        except OutsideError as error:
            pause = max(PACE.delay(entry.attempt, self._chance()), error.retry_after or 0.0)
            await self._outbox.failed([entry.key], self._now() + timedelta(seconds=pause), error.reason)
            metrics.ALERT_POSTS.labels("refused" if isinstance(error, ForbiddenAddressError) else "failed").inc()
            logger.warning("a webhook failed", reason=error.reason, again_in_seconds=round(pause, 1), **about)
        else:
            await self._outbox.sent([entry.key], self._now())
            metrics.ALERT_POSTS.labels("sent").inc()
