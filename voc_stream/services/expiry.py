"""When certificates and tokens end, as a metric: somebody learns of it while there is time (docs/runbooks/credential-expiring.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from voc_stream.errors import OutsideError
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.security.expiry import authorities_end, chain_ends, token_ends
from voc_stream.settings import Settings

logger = get_logger(__name__)

LOOK_SECONDS = 300.0
ACCESS_TOKEN = "access_token"  # noqa: S105 - a name
WEB_CERTIFICATE = "web_certificate"
KAFKA_TOKEN = "kafka_token"  # noqa: S105 - a name


class ExpiryWatch:
    """Tells `voc_credential_expires_timestamp_seconds`.

    Args:
        settings: what the worker shows to Kafka and to services with a token of their own, and the certificate of its people's side.
        tokens: returns when the next access token ends that is in use; None where none does.
    """

    def __init__(self, settings: Settings, tokens: Callable[[], Awaitable[datetime | None]]) -> None:
        self._web = settings.http_tls_cert_file if settings.web_enabled else None
        self._kafka_token = settings.kafka_oauth_token_file
        self._tokens = tokens
        # What is loaded once stays as it was until a restart, whatever becomes of the file.
        by_tls = settings.kafka_security_protocol.endswith("SSL")
        _tell("kafka_certificate", _read(chain_ends, settings.kafka_ssl_cert_file) if by_tls else None)
        _tell("kafka_authorities", _read(authorities_end, settings.kafka_ssl_ca_file) if by_tls else None)
        _tell("scoring_token", token_ends(settings.scoring_token.get_secret_value()))
        _tell("sentiment_token", token_ends(settings.sentiment_token.get_secret_value()))

    async def look(self) -> None:
        """Look again at what may have been renewed."""
        _tell(WEB_CERTIFICATE, _read(chain_ends, self._web))
        _tell(KAFKA_TOKEN, _read(_token_ends, self._kafka_token))
        with suppress(OutsideError):  # its gate says that PostgreSQL is down
            _tell(ACCESS_TOKEN, await self._tokens())


def _token_ends(path: Path) -> datetime | None:
    return token_ends(path.read_text(encoding="utf-8").strip())


def _read(ends: Callable[[Path], datetime | None], path: Path | None) -> datetime | None:
    if path is None:
        return None
    try:
        return ends(path)
    except (OSError, ValueError) as error:
        logger.error("it cannot be told when a certificate or a token ends", file=str(path), reason=type(error).__name__)
        return None


def _tell(credential: str, ends: datetime | None) -> None:
    if ends is not None:
        metrics.CREDENTIAL_EXPIRES.labels(credential).set(ends.timestamp())
        return
    with suppress(KeyError):
        metrics.CREDENTIAL_EXPIRES.remove(credential)
