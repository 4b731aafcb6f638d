"""A worker all of whose dependencies are behind proxies that fail on request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from tests.faults.proxy import HOST, Proxies, fault_proxies, kafka_rewrite
from tests.faults.sentiment import sentiment_service

DEPENDENCIES = ("kafka", "postgres", "s3", "clickhouse", "recorder", "scorer", "sentiment")
_URLS = {"postgres": "POSTGRES_DSN", "s3": "S3_ENDPOINT_URL", "recorder": "AVAYA_URL", "scorer": "SCORING_URL"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The proxies, and the settings that lead a worker to them."""

    proxies: Proxies
    settings: Mapping[str, str]


@contextmanager
def surrounded(endpoints: Mapping[str, str]) -> Iterator[Surroundings]:
    """Put a proxy in front of every server of a stack, and of a sentiment service of its own.

    Args:
        endpoints: the stack's.
    """
    with fault_proxies() as proxies, sentiment_service() as sentiment:
        kafka = int(endpoints["KAFKA_BOOTSTRAP"].rpartition(":")[2])
        settings = {
            "KAFKA_BOOTSTRAP": f"{HOST}:{proxies.add('kafka', kafka, kafka_rewrite(kafka))}",
            "CLICKHOUSE_HOST": HOST,
            "CLICKHOUSE_PORT": str(proxies.add("clickhouse", int(endpoints["CLICKHOUSE_PORT"]))),
            "SENTIMENT_MODEL": "remote",
            "SENTIMENT_URL": f"http://{HOST}:{proxies.add('sentiment', sentiment, cut_after=60)}",
        }
        for name, setting in _URLS.items():
            settings[setting] = _through(proxies, name, endpoints[setting])
        yield Surroundings(proxies, settings)


def _through(proxies: Proxies, name: str, url: str) -> str:
    parts = urlsplit(url)
    account, at, _ = parts.netloc.rpartition("@")
    port = proxies.add(name, parts.port or 0)
    return urlunsplit(parts._replace(netloc=f"{account}{at}{HOST}:{port}"))
