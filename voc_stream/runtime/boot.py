"""In which order a worker's parts start: its pages before Kafka's clients, which may have to wait for a broker (docs/adr/0022)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from faust.app.base import BootStrategy


class PagesFirst(BootStrategy):
    """Faust's order, but for the web server: whoever asks a worker that waits for Kafka is told so."""

    def server(self) -> Iterable[Any]:
        """Return the services in the order of their start; they stop the other way round."""
        return chain(
            self.sensors(),
            self.web_server(),
            self.kafka_producer(),
            self.kafka_consumer(),
            self.agents(),
            self.kafka_conductor(),
            self.tables(),
        )
