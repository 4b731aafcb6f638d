"""Receivers of webhooks in memory: what the HTTP client does with their answers, proven by tests/contract/test_webhook.py."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from uuid import UUID

from voc_stream.clients.http_faults import item_fault
from voc_stream.clients.webhook import DEPENDENCY
from voc_stream.stages.alert_rules import Webhook


class FakeWebhooks:
    """Answers 200 unless a test said otherwise.

    Attributes:
        posts: what came, in order, refused or not: URL, idempotency key, body.
        statuses: by URL, what the next posts are answered, one each.
        stalled: by URL, posts that answer only when the test sets the event.
    """

    def __init__(self) -> None:
        self.posts: list[tuple[str, UUID, bytes]] = []
        self.statuses: defaultdict[str, deque[int]] = defaultdict(deque)
        self.stalled: dict[str, asyncio.Event] = {}

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def post(self, webhook: Webhook, key: UUID, body: bytes) -> None:
        self.posts.append((webhook.url, key, body))
        if webhook.url in self.stalled:
            await self.stalled[webhook.url].wait()
        status = self.statuses[webhook.url].popleft() if self.statuses[webhook.url] else 200
        if not 200 <= status < 300:
            raise item_fault(DEPENDENCY, status)
