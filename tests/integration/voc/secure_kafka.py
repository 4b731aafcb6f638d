"""A real broker that lets in nobody but by TLS with SCRAM, with a certificate of its clients' own, or, when asked for, with a signed token."""

from __future__ import annotations

import ipaddress
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.kafka_broker import HOST, free_ports, kafka_broker
from tests.oidc import ISSUER, jwks, rsa_key
from voc_stream.devstack.parts.jars import kafka_version
from voc_stream.devstack.parts.kafka import render

USER = "voc-worker"
AUDIENCE = "kafka"
OAUTH = "org.apache.kafka.common.security.oauthbearer"
MECHANISM = "SCRAM-SHA-512"


@dataclass(frozen=True)
class SecureKafka:
    """Where it listens, and what lets a client in.

    Attributes:
        scram: port of TLS with SCRAM.
        mutual: port of TLS with clients' certificates.
        token: port of TLS with tokens (OAUTHBEARER) that `tests.oidc.rsa_key()` signed; None where there is none.
        password: of USER.
        folder: `ca.pem`, `client.pem` and `client.key`, and those of a stranger: `stranger.pem`, `stranger.key`.
    """

    scram: int
    mutual: int
    token: int | None
    password: str
    folder: Path

    def by_scram(self, password: str | None = None) -> dict[str, str]:
        """Return the settings of a client with a password."""
        return {
            "KAFKA_BOOTSTRAP": f"{HOST}:{self.scram}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": MECHANISM,
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": password or self.password,
            "KAFKA_SSL_CA_FILE": str(self.folder / "ca.pem"),
        }

    def by_token(self, **source: str) -> dict[str, str]:
        """Return the settings of a client with a token; `source` says where it has it from."""
        return {
            "KAFKA_BOOTSTRAP": f"{HOST}:{self.token}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_SSL_CA_FILE": str(self.folder / "ca.pem"),
            **source,
        }

    def by_certificate(self, name: str = "client") -> dict[str, str]:
        """Return the settings of a client with a certificate."""
        return {
            "KAFKA_BOOTSTRAP": f"{HOST}:{self.mutual}",
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_FILE": str(self.folder / "ca.pem"),
            "KAFKA_SSL_CERT_FILE": str(self.folder / f"{name}.pem"),
            "KAFKA_SSL_KEY_FILE": str(self.folder / f"{name}.key"),
        }


@asynccontextmanager
async def secure_kafka(folder: Path, *, tokens: bool = False) -> AsyncIterator[SecureKafka]:
    """Run a broker; its data and certificates are below the folder."""
    scram, mutual, token, controller = free_ports(4)
    broker = SecureKafka(scram, mutual, token if tokens else None, secrets.token_hex(12), folder)
    make_certificates(folder)
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(jwks(rsa_key())))
    properties = folder / "server.properties"
    properties.write_text(render(folder / "data", scram, controller) + listeners(broker, controller), encoding="utf-8")
    options = [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys.as_uri()}"]
    user = ["--add-scram", f"{MECHANISM}=[name={USER},password={broker.password}]"]
    ports = [scram, mutual, *([token] if tokens else [])]
    async with kafka_broker(properties, ports, java_options=options, format_options=user):
        yield broker


def listeners(broker: SecureKafka, controller: int) -> str:
    """Return the properties that differ from those of a broker that trusts everybody."""
    folder = broker.folder
    doors = f"SCRAM://{HOST}:{broker.scram},MUTUAL://{HOST}:{broker.mutual}" + (f",TOKEN://{HOST}:{broker.token}" if broker.token else "")
    lines = {
        "listeners": f"{doors},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": doors,
        "listener.security.protocol.map": "SCRAM:SASL_SSL,MUTUAL:SSL,TOKEN:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "MUTUAL",
        "sasl.enabled.mechanisms": MECHANISM,
        "listener.name.scram.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        **(_by_token(folder) if broker.token else {}),
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def _by_token(folder: Path) -> dict[str, str]:
    own = "listener.name.token.oauthbearer"
    lines = {
        "listener.name.token.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{own}.sasl.jaas.config": f"{OAUTH}.OAuthBearerLoginModule required;",
        f"{own}.sasl.server.callback.handler.class": f"{OAUTH}.OAuthBearerValidatorCallbackHandler",
        f"{own}.sasl.oauthbearer.jwks.endpoint.url": (folder / "jwks.json").as_uri(),
        f"{own}.sasl.oauthbearer.expected.issuer": ISSUER,
        f"{own}.sasl.oauthbearer.expected.audience": AUDIENCE,
        # A connection ends with its token, at the latest after this.
        f"{own}.connections.max.reauth.ms": "60000",
    }
    if not kafka_version().startswith("3."):
        # Left alone, Kafka 4.1.1 takes the clients' validator, which looks at neither signature nor audience. It does not read this by listener.
        lines["sasl.oauthbearer.jwt.validator.class"] = f"{OAUTH}.BrokerJwtValidator"
    return lines


def make_certificates(folder: Path) -> None:
    """Write an authority, a broker's certificate, a client's, and one that a stranger signed."""
    authority = _signed("voc-stream test authority", None)
    stranger = _signed("somebody else's authority", None)
    (folder / "ca.pem").write_bytes(_pem(authority[1]))
    broker = _signed("broker", authority)
    # Kafka reads key and chain from one file.
    (folder / "broker.pem").write_bytes(_key(broker[0]) + _pem(broker[1]) + _pem(authority[1]))
    for name, signer in (("client", authority), ("stranger", stranger)):
        key, certificate = _signed(name, signer)
        (folder / f"{name}.pem").write_bytes(_pem(certificate))
        (folder / f"{name}.key").write_bytes(_key(key))


Pair = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


def _signed(name: str, by: Pair | None) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing_key, issuer = (by[0], by[1].subject) if by else (key, subject)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST)), x509.DNSName("localhost")]), critical=False)
    )
    return key, builder.sign(signing_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
