"""What a request may be, what it is told when it is not, and what every answer carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog

from tests.web_desk import UnitDesk, client_of, unit_desk
from voc_stream.errors import OutageError, RejectedError, ThrottledError
from voc_stream.web import caps
from voc_stream.web.app import make_app
from voc_stream.web.caps import MOST_HEADER_BYTES, MOST_TARGET_BYTES
from voc_stream.web.headers import ALWAYS
from voc_stream.web.metrics import REGISTRY

SECRET = "postgresql://voc:hunter2@10.0.0.7/voc"


@pytest.fixture
def door() -> UnitDesk:
    return unit_desk(http_max_body_bytes=2048, http_hosts=["voc.example"])


@pytest.fixture
async def client(door: UnitDesk) -> AsyncIterator[httpx.AsyncClient]:
    """Of the application with routes that fail in every way; asks as an operator of all tenants."""
    app = make_app(door.desk)

    @app.get("/broken/{how}")
    async def broken(how: str) -> None:
        errors: dict[str, Exception] = {
            "bug": RuntimeError(SECRET),
            "outage": OutageError("postgres", SECRET),
            "throttled": ThrottledError("clickhouse", SECRET, retry_after=7.2),
            "rejected": RejectedError("postgres", SECRET),
            "late": TimeoutError(SECRET),
        }
        raise errors[how]

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    @app.post("/echo")
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    async with client_of(app) as made:
        made.headers.update(door.keyring.headers("operate", ""))
        yield made


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("voc_web_refused_total", {"reason": reason}) or 0.0


@pytest.mark.parametrize(
    ("path", "headers", "status", "reason"),
    [
        (f"/dlq?stage={'x' * MOST_TARGET_BYTES}", {}, 414, "target"),
        ("/dlq/%00", {}, 400, "target"),
        ("/dlq/%1f", {}, 400, "target"),
        ("/dlq?stage=%00", {}, 400, "target"),
        ("/dlq/%ff", {}, 400, "target"),
        ("/dlq", {f"x-{number}": "1" for number in range(101)}, 431, "headers"),
        ("/dlq", {"x": "y" * MOST_HEADER_BYTES}, 431, "headers"),
        ("/dlq", {"host": "evil.example"}, 400, "host"),
        ("/dlq", {"host": "localhost@evil.example"}, 400, "host"),
        ("/dlq", {"host": "evil.example:8000"}, 400, "host"),
        ("/dlq", {"host": ""}, 400, "host"),
    ],
)
async def test_a_head_out_of_bounds_is_refused_and_counted(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], status: int, reason: str
) -> None:
    before = refusals(reason)
    answer = await client.get(path, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"], refusals(reason) - before) == (status, "application/problem+json", 1)
    assert answer.json()["status"] == status


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "10.1.2.3:80", "voc.example", "VOC.example:443"])
async def test_its_names_and_any_address_are_fine(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/broken/rejected", headers={"host": host})).json()["detail"].startswith("postgres cannot")


async def test_who_checks_a_container_s_health_may_use_any_name(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz", headers={"host": "pod-7"})).json() == {"status": "ok"}


async def test_a_body_is_bounded_whether_its_length_is_told_or_not(client: httpx.AsyncClient) -> None:
    async def untold() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 1024

    before = refusals("body")
    for content in (b" " * 2049, untold()):
        answer = await client.post("/echo", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")
    assert refusals("body") - before == 2
    assert (await client.post("/echo", json={"a": "b" * 2000})).status_code == 200


async def test_a_body_that_does_not_come_and_an_answer_that_does_not_come_end(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caps, "BODY_SECONDS", 0.05)

    async def hanging() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    late = await client.post("/echo", content=hanging(), headers={"Content-Type": "application/json"})
    monkeypatch.setattr(caps, "ANSWER_SECONDS", 0.05)
    slow = await client.get("/slow")
    assert (late.status_code, slow.status_code, slow.headers["Retry-After"]) == (408, 503, "5")


@pytest.mark.parametrize(
    ("how", "status", "retry"), [("bug", 500, None), ("outage", 503, "5"), ("throttled", 503, "8"), ("rejected", 400, None), ("late", 503, "5")]
)
async def test_what_fails_is_told_without_its_words(client: httpx.AsyncClient, how: str, status: int, retry: str | None) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await client.get(f"/broken/{how}")
    assert (answer.status_code, answer.headers["Content-Type"], answer.headers.get("Retry-After")) == (status, "application/problem+json", retry)
    assert "hunter2" not in answer.text
    assert "hunter2" not in str(logs)
    assert [log["error"] for log in logs] == (["RuntimeError"] if how == "bug" else [])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/dlq", 405), ("GET", "/dlq/x", 404), ("GET", "/healthz", 200)]
)
async def test_every_answer_has_the_headers_and_every_error_is_a_problem(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)
    assert {name: answer.headers[name] for name in ALWAYS} == ALWAYS
    assert (answer.status_code, answer.headers["Cache-Control"], answer.json()["status"]) == (status, "no-store", "ok" if status == 200 else status)
    assert "unsafe" not in ALWAYS["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(("path", "allowed"), [("/pauses", "GET, POST"), ("/dlq/requeue", "POST"), ("/dlq/7", "GET")])
async def test_a_method_that_there_is_not_is_told_which_there_are(client: httpx.AsyncClient, path: str, allowed: str) -> None:
    answer = await client.request("OPTIONS", path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


async def test_over_tls_browsers_are_told_to_stay_with_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("https://localhost/healthz")
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=63072000")
