"""TLS as the clients speak it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from voc_stream.clients.tls import ResumingContext


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "recorder")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def server(certificate: Path) -> AsyncIterator[tuple[TestServer, ssl.SSLContext]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def close_after(_: web.Request) -> web.Response:
        return web.Response(text="well", headers={"Connection": "close"})

    app = web.Application()
    app.router.add_get("/", close_after)
    made = TestServer(app, scheme="https")
    await made.start_server(ssl=context)
    yield made, context
    await made.close()


async def test_a_second_connection_resumes_the_session_of_the_first(server: tuple[TestServer, ssl.SSLContext], certificate: Path) -> None:
    made, context = server
    ours = ResumingContext()
    ours.load_verify_locations(certificate)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ours)) as session:
        for _ in range(3):
            async with session.get(made.make_url("/")) as response:
                assert await response.text() == "well"
    stats = context.session_stats()
    assert (stats["accept"], stats["hits"]) == (3, 2)


async def test_a_certificate_of_nobody_we_trust_is_refused(server: tuple[TestServer, ssl.SSLContext]) -> None:
    made, _ = server
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ResumingContext())) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(made.make_url("/"))
