"""The metric of what ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.certificates import certificate
from tests.oidc import rsa_key, signed
from voc_stream.errors import OutageError
from voc_stream.runtime import metrics
from voc_stream.services.expiry import ExpiryWatch
from voc_stream.settings import load_settings

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    metrics.CREDENTIAL_EXPIRES.clear()
    yield
    metrics.CREDENTIAL_EXPIRES.clear()


def known(credential: str) -> float | None:
    return metrics.REGISTRY.get_sample_value("voc_credential_expires_timestamp_seconds", {"credential": credential})


async def none() -> datetime | None:
    return None


async def test_what_is_not_used_has_no_end() -> None:
    await ExpiryWatch(load_settings(), none).look()
    assert not [sample for family in metrics.CREDENTIAL_EXPIRES.collect() for sample in family.samples]


async def test_kafka_s_certificate_counts_as_it_was_loaded_and_the_page_s_as_it_is_now(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key", "web")}
    for path in files.values():
        path.write_bytes(certificate(NOON))
    watch = ExpiryWatch(
        load_settings(
            kafka_security_protocol="SSL",
            kafka_ssl_ca_file=files["ca"],
            kafka_ssl_cert_file=files["cert"],
            kafka_ssl_key_file=files["key"],
            http_tls_cert_file=files["web"],
            http_tls_key_file=files["key"],
        ),
        none,
    )
    for path in files.values():
        path.write_bytes(certificate(NOON + timedelta(days=90)))
    await watch.look()
    assert known("kafka_certificate") == known("kafka_authorities") == NOON.timestamp()
    assert known("web_certificate") == (NOON + timedelta(days=90)).timestamp()


async def test_the_token_that_others_renew_in_a_file_counts_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "token"
    watch = ExpiryWatch(load_settings(kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="OAUTHBEARER", kafka_oauth_token_file=path), none)
    path.write_text(signed({"exp": int(NOON.timestamp())}, rsa_key()) + "\n")
    await watch.look()
    assert known("kafka_token") == NOON.timestamp()
    path.unlink()
    await watch.look()
    assert known("kafka_token") is None


async def test_the_next_access_token_to_end_is_told_and_stays_while_postgresql_is_down() -> None:
    answers: list[datetime | Exception | None] = [NOON, OutageError("postgres", "it is down"), None]

    async def tokens() -> datetime | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    watch = ExpiryWatch(load_settings(), tokens)
    for expected in (NOON.timestamp(), NOON.timestamp(), None):
        await watch.look()
        assert known("access_token") == expected


async def test_a_file_that_is_no_certificate_has_no_end(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("?")
    await ExpiryWatch(load_settings(http_tls_cert_file=broken, http_tls_key_file=broken), none).look()
    assert known("web_certificate") is None
