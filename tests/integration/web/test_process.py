"""The process itself under what the internet sends: malformed and oversized, slow, too much, with tricks; and its end with its parent."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.integration.web.conftest import Front
from tests.web_process import PATIENCE_SECONDS, ROOT, WebProcess, web_process
from voc_stream.devstack.ports import free_port
from voc_stream.web.caps import BODY_SECONDS
from voc_stream.web.protocol import HEAD_SECONDS

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(300)]

# Starts the people's side as a worker does, and says its process id.
PARENT = """
import os, subprocess, sys, time
print(subprocess.Popen([sys.executable, "-m", "voc_stream.web", "--parent", str(os.getpid())]).pid, flush=True)
time.sleep(600)
"""
MALFORMED = {
    b"\x00\x01\x02\x03\r\n\r\n": 400,
    b"GET /\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\n\r\n": 400,  # no Host
    b"GET / HTTP/x.y\r\nHost: localhost\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\x00: y\r\n\r\n": 400,
    b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"GET http://evil.example/calls HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"GET //evil.example/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n": 401,
    b"GET /static/../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n": 404,
    b"GET /static/%2e%2e/%2e%2e/settings.py HTTP/1.1\r\nHost: localhost\r\n\r\n": 404,
    b"GET /static/..%2f..%2fsettings.py HTTP/1.1\r\nHost: localhost\r\n\r\n": 404,
    b"GET /calls%00 HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"POST /dlq/discard HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n": 400,
    b"POST /dlq/discard HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": 400,
    b"POST /dlq/discard HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 401,
    b"POST /dlq/discard HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n": 413,
    b"GET /calls HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 1.2.3.4\r\nX-Original-URL: /healthz\r\n\r\n": 401,
    b"GET /calls HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n": 401,
    b"GET /calls HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 40_000 + b"\r\n\r\n": 431,
    b"GET /calls?q=" + b"y" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n": 414,
    b"GET /calls HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"\r\n": 431,
    b"BREW /calls HTTP/1.1\r\nHost: localhost\r\n\r\n": 401,
}


async def spoken(web: WebProcess, said: bytes) -> bytes:
    """Send bytes as they are; returns what comes back until the server closes, or has answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    try:
        writer.write(said)
        return await asyncio.wait_for(reader.read(65_536), PATIENCE_SECONDS)
    finally:
        writer.close()


async def figure(front: Front, name: str) -> float:
    """Return a metric's value."""
    async with httpx.AsyncClient(base_url=front.web.url, headers=front.world.keyring.headers("operate", ""), timeout=60) as client:
        text = (await client.get("/metrics")).raise_for_status().text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def test_what_is_no_request_is_told_so_and_the_next_one_is_answered(front: Front) -> None:
    for said, status in MALFORMED.items():
        answer = await spoken(front.web, said)
        assert answer.split(b" ", 2)[1] == b"%d" % status, (said[:100], answer[:300])
        assert b"content-security-policy" in answer.lower(), said[:100]
        assert b"application/problem+json" in answer, said[:100]
        assert b"Traceback" not in answer
    assert await figure(front, 'voc_web_refused_total{reason="malformed"}') >= 5
    assert (await spoken(front.web, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_who_sends_slowly_is_not_waited_for(front: Front) -> None:
    """A head that never ends, a connection on which nothing is said, and a body that does not come."""
    token = front.world.keyring.token("operate", "")
    head = f"POST /dlq/discard HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 100\r\n\r\n".encode()
    began = time.monotonic()
    answers = await asyncio.gather(spoken(front.web, b"GET /calls HTTP/1.1\r\nHo"), spoken(front.web, b""), spoken(front.web, head + b"{"))
    assert (answers[0], answers[1]) == (b"", b"")
    assert answers[2].startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began >= min(HEAD_SECONDS, BODY_SECONDS)
    assert await figure(front, 'voc_web_refused_total{reason="slow_head"}') >= 2
    assert await figure(front, 'voc_web_refused_total{reason="slow_body"}') >= 1


async def test_a_flood_is_refused_with_a_time_to_wait_and_leaves_other_tenants_alone(front: Front) -> None:
    limits = {"HTTP_WRONG_CREDENTIALS": "30", "HTTP_TENANT_RATE": "5", "HTTP_TENANT_QUOTA": "60", "HTTP_MAX_PEER_CONNECTIONS": "20"}
    keyring = front.world.keyring
    with web_process(front.settings, front.folder, **limits) as web:
        async with httpx.AsyncClient(base_url=web.url, timeout=PATIENCE_SECONDS, limits=httpx.Limits(max_connections=8)) as client:
            flood = await asyncio.gather(*(client.get("/alerts", headers=keyring.headers()) for _ in range(200)))
            refused = [answer for answer in flood if answer.status_code == 429]
            assert {answer.status_code for answer in flood} == {200, 429}
            assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
            assert len(flood) - len(refused) <= 60
            assert (await client.get("/alerts", headers=keyring.headers(tenant="globex"))).status_code == 200

            guesses = await asyncio.gather(*(client.get("/alerts", headers={"Authorization": f"Bearer {number}"}) for number in range(100)))
            assert {answer.status_code for answer in guesses} == {401, 429}
        connections = [await asyncio.open_connection("127.0.0.1", web.port) for _ in range(40)]
        said = await asyncio.gather(*(asyncio.wait_for(reader.read(12), PATIENCE_SECONDS) for reader, _ in connections[20:]))
        for _, writer in connections:
            writer.close()
        assert said == [b"HTTP/1.1 503"] * 20
        assert web.process.poll() is None


async def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    """The parent is killed with SIGKILL, as a worker may be."""
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        env = os.environ | {"HTTP_PORT": str(port)}
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE, stderr=log)
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    try:
        await until(lambda: _listens(port))
    finally:
        parent.kill()
        await parent.wait()
    await until(lambda: not _lives(child))
    assert not _listens(port)


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
