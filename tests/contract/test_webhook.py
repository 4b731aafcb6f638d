"""What every webhook client does with a receiver's answers: the fake, and the real one over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import TypeAlias

import pytest

from tests.fakes.webhook import FakeWebhooks
from tests.unit.clients.http_server import Scripted, scripted_server
from voc_stream.clients.webhook import WebhookClient
from voc_stream.errors import OutsideError, RejectedError, ThrottledError, TransientError, UnavailableError
from voc_stream.settings import Settings
from voc_stream.stages.alert_rules import Webhook

KEY = uuid.UUID(int=7)
BODY = b'{"state":"raised"}'

Client: TypeAlias = WebhookClient | FakeWebhooks


class Receiver:
    """A receiver, in memory or behind HTTP, and the client that posts to it."""

    def __init__(self, client: Client, server: Scripted | None = None) -> None:
        self.client = client
        self.webhook = Webhook(f"{server.url}/hook" if server else "https://hooks.example.com/", b"made-up")
        self._server = server

    def says(self, status: int) -> None:
        if self._server is not None:
            self._server.says(status, Location="/elsewhere")
        elif isinstance(self.client, FakeWebhooks):
            self.client.statuses[self.webhook.url].append(status)

    @property
    def posts(self) -> int:
        if self._server is not None:
            return len(self._server.asked)
        assert isinstance(self.client, FakeWebhooks)
        return len(self.client.posts)


@pytest.fixture(params=["fake", "http"])
async def receiver(request: pytest.FixtureRequest) -> AsyncIterator[Receiver]:
    if request.param == "fake":
        yield Receiver(FakeWebhooks())
        return
    client = WebhookClient(Settings(_env_file=None, alert_webhook_allow_private=True))
    await client.open()
    async with scripted_server() as server:
        yield Receiver(client, server)
    await client.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_every_2xx_counts_as_acknowledged(receiver: Receiver, status: int) -> None:
    receiver.says(status)
    await receiver.client.post(receiver.webhook, KEY, BODY)
    assert receiver.posts == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(301, ThrottledError), (307, ThrottledError), (400, RejectedError), (401, ThrottledError), (404, RejectedError), (410, TransientError),
     (429, ThrottledError), (500, TransientError), (503, UnavailableError)],
)  # fmt: skip
async def test_anything_else_is_an_error_with_its_status_and_one_post(receiver: Receiver, status: int, kind: type[OutsideError]) -> None:
    receiver.says(status)
    with pytest.raises(kind, match=f"^webhook: it answered {status}") as caught:
        await receiver.client.post(receiver.webhook, KEY, BODY)
    assert caught.value.dependency == "webhook"
    assert receiver.posts == 1


async def test_after_an_error_the_next_post_may_pass(receiver: Receiver) -> None:
    receiver.says(500)
    with pytest.raises(TransientError):
        await receiver.client.post(receiver.webhook, KEY, BODY)
    receiver.says(200)
    await receiver.client.post(receiver.webhook, KEY, BODY)
