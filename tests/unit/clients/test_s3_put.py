"""The short way into S3: the request that botocore would send, and botocore itself wherever it does not lead there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pydantic import SecretStr

from tests.unit.clients.http_server import Scripted, scripted_server
from voc_stream.clients.object_store import ObjectStore
from voc_stream.errors import OutageError, TransientError
from voc_stream.settings import Settings

KEY = "raw/2026/11/22/7'0 ü+~=1.wav"
BODY = b"RIFF" * 5000


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as scripted:
        yield scripted


@pytest.fixture
async def store(server: Scripted) -> AsyncIterator[ObjectStore]:
    made = await opened(server.url)
    yield made
    await made.close()


async def opened(url: str, **more: Any) -> ObjectStore:
    settings = Settings(s3_endpoint_url=url, s3_access_key_id="key", s3_secret_access_key=SecretStr("secret"), s3_bucket="recordings", **more)
    store = ObjectStore(settings)
    await store.open()
    return store


async def put(store: ObjectStore, body: bytes = BODY) -> None:
    await store.put_bytes(KEY, body, content_type="audio/wav", metadata={"codec": "pcm_s16le"}, tags={"agent_id": "O'Neil & co"})


def told(request: web.Request) -> dict[str, str]:
    """What a request says of its object."""
    return {name.lower(): value for name, value in request.headers.items() if name.lower().startswith(("content-", "x-amz-"))}


@pytest.mark.parametrize("more", [{}, {"s3_sse": "aws:kms", "s3_kms_key_id": "alias/recordings"}])
@pytest.mark.parametrize("body", [BODY, b"", bytes(3 << 20)])
async def test_it_says_what_botocore_says(server: Scripted, more: dict[str, Any], body: bytes) -> None:
    bodies: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    server.answer = take
    store = await opened(server.url, **more)
    await put(store, body)
    store._direct = None
    await put(store, body)
    await store.close()
    direct, usual = server.asked
    assert (direct.method, direct.raw_path) == (usual.method, usual.raw_path)
    varying = {"x-amz-date"}
    assert {k: v for k, v in told(direct).items() if k not in varying} == {k: v for k, v in told(usual).items() if k not in varying}
    assert bodies == [body, body]


async def test_what_arrives_is_what_was_signed(server: Scripted, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(store)
    sent = server.asked[0].headers
    names = sent["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"host", "content-length", "x-amz-content-sha256", "x-amz-tagging", "x-amz-server-side-encryption"} <= set(names)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: _Moment(sent["X-Amz-Date"]))
    again = AWSRequest(
        method="PUT", url=f"{server.url}{server.asked[0].raw_path}", data=BODY, headers={name: sent[name] for name in names if name != "host"}
    )
    S3SigV4Auth(Credentials("key", "secret"), "s3", "us-east-1").add_auth(again)
    assert again.headers["Authorization"] == sent["Authorization"]


@pytest.mark.parametrize("status", [301, 403, 500, 503])
async def test_what_is_not_taken_is_sent_again_by_botocore(server: Scripted, store: ObjectStore, status: int) -> None:
    async def once_not(_: web.Request) -> web.Response:
        return web.Response(status=status if len(server.asked) == 1 else 200)

    server.answer = once_not
    await put(store)
    assert ["amz-sdk-invocation-id" in request.headers for request in server.asked] == [False, True]


async def test_a_fault_that_stays_is_told_in_our_terms(server: Scripted, store: ObjectStore) -> None:
    server.says(503, b"<Error><Code>SlowDown</Code></Error>")
    with pytest.raises(TransientError, match="SlowDown"):
        await put(store)


async def test_a_server_that_is_not_there_is_an_outage(unused_tcp_port: int) -> None:
    store = await opened(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(OutageError):
        await put(store)
    await store.close()


async def test_where_a_proxy_is_set_botocore_alone_speaks(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    store = await opened(server.url)
    await put(store)
    await store.close()
    assert "amz-sdk-invocation-id" in server.asked[0].headers


class _Moment:
    def __init__(self, text: str) -> None:
        self._text = text

    def strftime(self, _form: str) -> str:
        return self._text
