"""A port, TLS whose files change, and connections that keep nobody waiting."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from voc_stream.settings import Settings, SettingsError, load_settings
from voc_stream.web import protocol, server
from voc_stream.web.metrics import REGISTRY
from voc_stream.web.protocol import patient
from voc_stream.web.server import follow_files, listen, tls

PATIENCE_SECONDS = 30.0


def certificate(folder: Path, name: str) -> dict[str, Path]:
    """Write a certificate of this name, and its key; returns the settings."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    unencrypted = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted))
    return {"http_tls_cert_file": folder / "cert.pem", "http_tls_key_file": folder / "key.pem"}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_in_dev_the_next_free_port_is_taken_and_elsewhere_one_line_says_that_it_is_in_use(taken: int) -> None:
    settings = load_settings(http_port=taken)
    with listen(settings) as listener:
        assert listener.getsockname()[1] > taken
    with pytest.raises(SettingsError, match=f"HTTP_PORT: {taken}"):
        listen(settings.model_copy(update={"app_env": "prod"}))


def test_tls_files_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    files = certificate(tmp_path, "first")
    files["http_tls_key_file"].write_text("rubbish")
    for settings in (load_settings(**files), load_settings(**files | {"http_tls_cert_file": tmp_path / "none.pem"})):
        with pytest.raises(SettingsError, match="HTTP_TLS_CERT_FILE"):
            tls(settings)
    with pytest.raises(SettingsError, match="go together"):
        load_settings(http_tls_cert_file=files["http_tls_cert_file"])


async def test_a_new_certificate_is_used_without_a_restart_and_one_that_is_none_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CERTIFICATE_SECONDS", 0.02)
    settings = load_settings(**certificate(tmp_path, "first"))
    context = tls(settings)
    assert context is not None
    listening = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    following = asyncio.create_task(follow_files(context, settings))
    try:
        assert await shown(port) == "first"
        certificate(tmp_path, "second")
        await until_shown(port, "second")
        (tmp_path / "cert.pem").write_text("rubbish")
        await asyncio.sleep(0.2)
        assert await shown(port) == "second"
        certificate(tmp_path, "third")
        await until_shown(port, "third")
    finally:
        following.cancel()
        listening.close()


async def until_shown(port: int, name: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await shown(port) != name:
            await asyncio.sleep(0.02)


async def shown(port: int) -> str:
    """Return the name in the certificate that the server shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return str(found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """Serve endless bytes at /flood, a word elsewhere."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def flood() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)

        answer = StreamingResponse(flood()) if scope["path"] == "/flood" else PlainTextResponse("word")
        await answer(scope, receive, send)

    listener = listen(settings)
    config = uvicorn.Config(app, http=patient(settings), ws="none", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    serving = uvicorn.Server(config)
    running = asyncio.create_task(serving._serve([listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        serving.should_exit = True
        await running


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("voc_web_refused_total", {"reason": reason}) or 0.0


@pytest.fixture
def settings(taken: int) -> Settings:
    return load_settings(http_port=taken, http_max_peer_connections=3)


async def test_who_does_not_take_the_answer_is_let_go(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALL_SECONDS", 0.2)
    before = refusals("slow_reader")
    async with serving(settings) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while refusals("slow_reader") == before:
                await asyncio.sleep(0.02)
            with suppress(ConnectionError):
                while await reader.read(65_536):
                    pass
        writer.close()


async def test_a_second_head_on_a_connection_must_come_in_time_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    async with serving(settings) as port, asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"word")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HT")
        assert await reader.read() == b""
        writer.close()


async def test_one_address_holds_so_many_connections_and_gets_new_ones_when_it_lets_some_go(settings: Settings) -> None:
    async with serving(settings) as port, asyncio.timeout(PATIENCE_SECONDS):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        refused = await reader.read()
        assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"Retry-After: 5" in refused
        writer.close()
        for _, each in held:
            each.close()
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            if answer.startswith(b"HTTP/1.1 200"):
                break
            await asyncio.sleep(0.05)


async def test_what_is_no_request_is_counted_and_does_not_fill_the_log(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    before = refusals("malformed")
    async with serving(settings) as port, asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x00\x01\x02\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
            writer.close()
    assert refusals("malformed") == before + 3
    # That another program took the port meanwhile is told, too.
    assert [record.message for record in caplog.records if record.levelname == "WARNING" and "HTTP_PORT is taken" not in record.message] == []
