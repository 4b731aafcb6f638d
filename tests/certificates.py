"""Certificates made up for tests."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(ends: datetime) -> bytes:
    """Return a certificate that ends then, signed by itself, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "voc")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), ends - timedelta(days=90), ends).sign(
        key, hashes.SHA256()
    )
    return made.public_bytes(serialization.Encoding.PEM)
