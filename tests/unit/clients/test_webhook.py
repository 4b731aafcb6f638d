"""The webhook client over real HTTP: what it signs, and where it refuses to go."""

from __future__ import annotations

import hashlib
import hmac
import socket
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.unit.clients.http_server import Scripted, scripted_server
from voc_stream.clients.webhook import ForbiddenAddressError, WebhookClient, signed
from voc_stream.errors import OutageError, RejectedError, ThrottledError, TransientError
from voc_stream.settings import Settings
from voc_stream.stages.alert_rules import Webhook

SECRET = b"a-made-up-secret"
KEY = uuid.UUID(int=7)
BODY = b'{"state":"raised"}'


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as script:
        yield script


async def opened(**values: Any) -> WebhookClient:
    client = WebhookClient(Settings(_env_file=None, **values), clock=lambda: 1_763_812_800.9)
    await client.open()
    return client


@pytest.fixture
async def client() -> AsyncIterator[WebhookClient]:
    made = await opened(alert_webhook_allow_private=True)
    yield made
    await made.close()


@pytest.fixture
async def strict() -> AsyncIterator[WebhookClient]:
    made = await opened()
    yield made
    await made.close()


def hook(server: Scripted, path: str = "/hook") -> Webhook:
    return Webhook(f"{server.url}{path}", SECRET)


async def test_a_post_carries_its_key_and_a_signature_over_time_and_body(server: Scripted, client: WebhookClient) -> None:
    came: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        came.append(await request.read())
        return web.Response(status=204)

    server.answer = answer
    await client.post(hook(server), KEY, BODY)

    headers = server.asked[0].headers
    assert came == [BODY]
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == str(KEY)
    assert headers["X-VoC-Timestamp"] == "1763812800"
    assert headers["X-VoC-Signature"] == "sha256=" + hmac.new(SECRET, b"1763812800." + BODY, hashlib.sha256).hexdigest()


def test_another_time_body_or_key_is_another_signature() -> None:
    different = [signed(SECRET, 1, BODY), signed(SECRET, 2, BODY), signed(SECRET, 1, b"{}"), signed(b"other", 1, BODY)]
    assert len({headers["X-VoC-Signature"] for headers in different}) == 4


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(server: Scripted, client: WebhookClient, status: int) -> None:
    server.says(status, Location=f"{server.url}/elsewhere")
    with pytest.raises(ThrottledError, match="a redirect, which is never followed"):
        await client.post(hook(server), KEY, BODY)
    assert [request.path for request in server.asked] == ["/hook"]


async def test_an_address_written_as_a_number_is_refused_when_it_is_private(server: Scripted, strict: WebhookClient) -> None:
    with pytest.raises(ForbiddenAddressError, match="private, loopback or link-local"):
        await strict.post(hook(server), KEY, BODY)
    assert server.asked == []


async def test_a_name_that_leads_to_a_private_address_is_refused(server: Scripted, strict: WebhookClient) -> None:
    with pytest.raises(RejectedError, match="private, loopback or link-local"):
        await strict.post(Webhook(server.url.replace("127.0.0.1", "localhost"), SECRET), KEY, BODY)
    assert server.asked == []


async def test_a_metadata_service_is_refused_even_if_private_addresses_are_allowed(client: WebhookClient) -> None:
    with pytest.raises(RejectedError, match="link-local"):
        await client.post(Webhook("http://169.254.169.254/latest/meta-data", SECRET), KEY, BODY)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_other_ways_to_write_loopback_are_refused(server: Scripted, strict: WebhookClient, host: str) -> None:
    port = server.url.rpartition(":")[2]
    with pytest.raises(RejectedError):
        await strict.post(Webhook(f"http://{host}:{port}/", SECRET), KEY, BODY)
    assert server.asked == []


async def test_a_name_is_looked_up_once_a_post_and_that_address_is_checked_and_connected_to(
    server: Scripted, client: WebhookClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that changes its address after the check has nothing to gain: there is no second look-up, and the next post checks again."""
    port = int(server.url.rpartition(":")[2])
    answers = ["127.0.0.1", "169.254.169.254"]

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        assert host == "rebinding.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    webhook = Webhook(f"http://rebinding.example:{port}/", SECRET)
    await client.post(webhook, KEY, BODY)
    assert len(server.asked) == 1
    assert answers == ["169.254.169.254"]

    with pytest.raises(RejectedError, match="link-local"):
        await client.post(webhook, KEY, BODY)
    assert len(server.asked) == 1
    assert answers == []


async def test_a_receiver_that_does_not_answer_in_time_is_a_failed_attempt(server: Scripted) -> None:
    async def stall(_: web.Request) -> web.Response:
        await server.released.wait()
        return web.Response()

    server.answer = stall
    client = await opened(alert_webhook_allow_private=True, alert_webhook_timeout_seconds=0.05)
    with pytest.raises(TransientError, match="no answer within the time-out"):
        await client.post(hook(server), KEY, BODY)
    await client.close()


async def test_an_answer_without_an_end_is_not_read(server: Scripted, client: WebhookClient) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not server.released.is_set():
            try:
                await response.write(bytes(64 << 10))
            except ConnectionError:
                break
        return response

    server.answer = endless
    await client.post(hook(server), KEY, BODY)


async def test_nobody_there_is_an_outage_and_the_reason_names_no_address(client: WebhookClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OutageError) as caught:
        await client.post(Webhook(f"http://127.0.0.1:{port}/very-private", SECRET), KEY, BODY)
    assert "private" not in str(caught.value)
    assert str(port) not in str(caught.value)
