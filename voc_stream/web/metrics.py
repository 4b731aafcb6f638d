"""The metrics of the people's side, by the one name that dashboards and alerts may use; a registry of its own, since it is a process of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from voc_stream.runtime.metrics import REQUEUED

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
REGISTRY.register(REQUEUED)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("voc_web_requests", "Requests answered, by the route's own path.", ("method", "route", "status"), registry=REGISTRY)
REQUEST_SECONDS = Histogram("voc_web_request_seconds", "From a request's head to the answer's.", ("route",), buckets=_SECONDS, registry=REGISTRY)
REFUSED = Counter("voc_web_refused", "Requests and connections refused, by reason.", ("reason",), registry=REGISTRY)
CONNECTIONS = Gauge("voc_web_connections", "Open connections.", registry=REGISTRY)
CREDENTIALS_REFUSED = Counter(
    "voc_credentials_refused", "Requests without a credential, or with one that is not let in.", ("reason",), registry=REGISTRY
)
LOGINS = Counter("voc_logins", "Sessions begun.", ("by",), registry=REGISTRY)
