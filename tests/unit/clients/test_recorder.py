"""The recorder client against a server that fails in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.unit.clients.http_server import Scripted, scripted_server
from voc_stream.clients import recorder
from voc_stream.clients.recorder import RecorderClient
from voc_stream.clients.streams import ByteStream
from voc_stream.errors import NotThereYetError, OutageError, OutsideError, RejectedError, ThrottledError, TransientError, UnavailableError
from voc_stream.settings import Settings

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FOLD = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
EMPTY = b"<results/>"


def client_of(url: str, **more: Any) -> RecorderClient:
    password = SecretStr("pass-word")
    return RecorderClient(Settings(avaya_url=url, avaya_username="user", avaya_password=password, avaya_timezone="Europe/Berlin", **more))


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as script:
        script.says(200, EMPTY)
        yield script


@pytest.fixture
async def client(server: Scripted) -> AsyncIterator[RecorderClient]:
    made = client_of(f"{server.url}/searchapi", avaya_timeout_seconds=0.3, avaya_result_cap=2, download_max_bytes=200_000)
    await made.open()
    yield made
    await made.close()


async def read(replay: AbstractAsyncContextManager[ByteStream]) -> bytes:
    async with replay as recording:
        return b"".join([chunk async for chunk in recording.chunks()])


def result(inum: str, started: str) -> str:
    return f'<result inum="{inum}"><field name="startedat">{started}</field><field name="duration">5</field></result>'


async def test_a_search_is_asked_as_the_recorder_wants_it(server: Scripted, client: RecorderClient) -> None:
    await client.search(NOON, NOON + timedelta(minutes=1))
    (asked,) = server.asked
    assert dict(asked.query) == {
        "command": "search",
        "layout": "segment",
        "operator_startedat": "9",
        "param1_startedat": "22/11/26",
        "param2_startedat": "13:00:00",
        "param3_startedat": "22/11/26",
        "param4_startedat": "13:01:00",
    }
    assert asked.headers["Authorization"] == "Basic dXNlcjpwYXNzLXdvcmQ="


async def test_a_search_over_a_fold_asks_twice_and_finds_each_call_once(server: Scripted, client: RecorderClient) -> None:
    results = result("701", "2026-10-25T02:59:30") + result("702", "2026-10-25T02:00:30")
    server.says(200, f"<results>{results}</results>".encode())
    found = await client.search(FOLD - timedelta(minutes=1), FOLD + timedelta(minutes=1))
    asked = [(each.query["param2_startedat"], each.query["param4_startedat"]) for each in server.asked]
    assert asked == [("02:59:00", "03:00:00"), ("02:00:00", "02:01:00")]
    assert sorted(segment.inum for segment in found.segments) == ["701", "702"]
    assert found.capped


@pytest.mark.parametrize(("count", "capped"), [(1, False), (2, True), (3, True)])
async def test_a_result_as_long_as_the_cap_is_marked(server: Scripted, client: RecorderClient, count: int, capped: bool) -> None:  # noqa: FBT001
    server.says(200, f"<results>{''.join(result(str(each), '2026-11-22T13:00:00') for each in range(count))}</results>".encode())
    assert (await client.search(NOON, NOON)).capped is capped


@pytest.mark.parametrize("body", [b"<results><result", b"", b"<!DOCTYPE r [<!ENTITY a 'b'>]><results>&a;</results>"])
async def test_an_answer_that_is_no_result_is_worth_another_try(server: Scripted, client: RecorderClient, body: bytes) -> None:
    server.says(200, body)
    with pytest.raises(TransientError):
        await client.search(NOON, NOON)


async def test_an_endless_result_is_given_up(server: Scripted, client: RecorderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "LONGEST_RESULT", 1000)
    server.says(200, b"<results>" + b" " * 2000 + b"</results>")
    with pytest.raises(TransientError, match="longer than 1000 bytes"):
        await client.search(NOON, NOON)


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (302, {"Location": "/login"}, ThrottledError),
        (400, {}, RejectedError),
        (401, {}, ThrottledError),
        (403, {}, ThrottledError),
        (408, {}, ThrottledError),
        (413, {}, RejectedError),
        (415, {}, RejectedError),
        (422, {}, RejectedError),
        (429, {"Retry_After": "7"}, ThrottledError),
        (500, {}, TransientError),
        (502, {}, TransientError),
        (503, {}, UnavailableError),
        (503, {"Retry_After": "7"}, ThrottledError),
        (418, {}, TransientError),
    ],
)
async def test_a_status_says_what_to_do(
    server: Scripted, client: RecorderClient, status: int, headers: dict[str, str], kind: type[OutsideError]
) -> None:
    server.says(status, b"name=Zoe;card=4111", **headers)
    for attempt in (client.search(NOON, NOON), read(client.replay("701")), client.probe()):
        with pytest.raises(kind) as caught:
            await attempt
        assert type(caught.value) is kind
        assert caught.value.retry_after == (7 if headers.get("Retry_After") else None)
        assert not any(secret in str(caught.value) for secret in ("Zoe", "pass-word", "user", "127.0.0.1"))


async def test_404_is_a_recording_to_come_but_no_recorder_for_a_search(server: Scripted, client: RecorderClient) -> None:
    server.says(404)
    with pytest.raises(NotThereYetError):
        await read(client.replay("701"))
    with pytest.raises(OutageError):
        await client.search(NOON, NOON)


@pytest.mark.parametrize("host", ["http://127.0.0.1:{port}", "http://nowhere.invalid:{port}"])
async def test_nobody_there_is_an_outage(unused_tcp_port: int, host: str) -> None:
    made = client_of(host.format(port=unused_tcp_port) + "/searchapi")
    await made.open()
    with pytest.raises(OutageError):
        await made.search(NOON, NOON)
    with pytest.raises(OutageError):
        await read(made.replay("701"))
    await made.close()


async def test_silence_in_the_middle_of_a_recording_ends_it(server: Scripted, client: RecorderClient) -> None:
    async def stalling(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "audio/wav"})
        await response.prepare(request)
        await response.write(b"x" * 10)
        await server.released.wait()
        return response

    server.answer = stalling
    with pytest.raises(TransientError, match="time-out"):
        await read(client.replay("701"))


async def test_a_recording_that_trickles_is_given_up(server: Scripted, client: RecorderClient) -> None:
    async def trickling(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100000", "Content-Type": "audio/wav"})
        await response.prepare(request)
        while not server.released.is_set():
            await response.write(b"x")
            await asyncio.sleep(0.05)
        return response

    server.answer = trickling
    with pytest.raises(TransientError, match="less than 512 bytes a second"):
        await read(client.replay("701"))


async def test_silence_before_an_answer_ends_it(server: Scripted, client: RecorderClient) -> None:
    async def silent(_: web.Request) -> web.StreamResponse:
        await server.released.wait()
        return web.Response()

    server.answer = silent
    with pytest.raises(TransientError, match="time-out"):
        await client.search(NOON, NOON)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_breaks_off_is_not_taken_for_whole(server: Scripted, client: RecorderClient, chunked: bool) -> None:  # noqa: FBT001
    async def breaking(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/wav"} | ({} if chunked else {"Content-Length": "1000"}))
        await response.prepare(request)
        await response.write(b"x" * 10)
        assert request.transport is not None
        request.transport.close()
        return response

    server.answer = breaking
    with pytest.raises(TransientError):
        await read(client.replay("701"))


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_recording_longer_than_allowed_is_refused(server: Scripted, client: RecorderClient, chunked: bool) -> None:  # noqa: FBT001
    async def long(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/wav"} | ({} if chunked else {"Content-Length": "300000"}))
        await response.prepare(request)
        await response.write(b"x" * 300_000)
        return response

    server.answer = long
    with pytest.raises(RejectedError, match="DOWNLOAD_MAX_BYTES"):
        await read(client.replay("701"))


async def test_an_error_of_the_reader_is_its_own(client: RecorderClient) -> None:
    with pytest.raises(ZeroDivisionError):
        async with client.replay("701"):
            raise ZeroDivisionError


async def test_one_connection_serves_many_recordings(server: Scripted, client: RecorderClient) -> None:
    for _ in range(3):
        await read(client.replay("701"))
    assert len({asked.transport.get_extra_info("peername") for asked in server.asked if asked.transport}) == 1


async def test_a_long_result_leaves_the_loop_free(server: Scripted) -> None:
    """Parsing happens elsewhere: the loop turns many times while a long list is read."""
    server.says(200, f"<results>{''.join(result(str(each), '2026-11-22T13:00:00') for each in range(3000))}</results>".encode())
    client = client_of(server.url)
    await client.open()
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(turning())
    found = await client.search(NOON, NOON)
    task.cancel()
    await client.close()
    assert len(found.segments) == 3000
    assert turns > 100


def test_no_command_but_search_and_replay_exists() -> None:
    assert {command.value for command in recorder._Command} == {"search", "replay"}


@given(
    inum=st.text(max_size=40) | st.sampled_from(["&command=delete", "1&command=delete&id=2", "1;command=delete", "%26command=delete", "1\r\nX: y"])
)
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_the_inum_the_command_stays_replay(server: Scripted, client: RecorderClient, inum: str) -> None:
    server.says(200, b"audio")
    server.asked.clear()
    encodable = inum.encode("utf-8", "ignore").decode()
    await read(client.replay(encodable))
    assert [asked.query.getall("command") for asked in server.asked] == [["replay"]]
    assert [asked.query.getall("id") for asked in server.asked] == [[encodable]]
    assert {asked.method for asked in server.asked} == {"GET"}
