"""How long an event takes from Kafka's acknowledgement until it can be read in ClickHouse, as a tenant would see it."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from benchmarks.voc_events import event_id
from voc_stream import topics
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.errors import StackError
from voc_stream.errors import OutsideError
from voc_stream.settings import Settings

_EVERY_SECONDS = 0.1
_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 90.0


class Probes:
    """Sends ten events a second, over all partitions, and looks for them four times a second; on a thread of its own.

    Args:
        settings: of Kafka and ClickHouse.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tenant = f"probe-{secrets.token_hex(3)}"
        self._sent: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="probes", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> tuple[list[float], int]:
        """Send no more and wait for those that are under way.

        Returns:
            The delays in seconds, at most 0.25 too long, and how many never came.

        Raises:
            StackError: they could not be sent.
        """
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise StackError(f"could not probe: {self._error!r}")
        return sorted(self._delays.values()), len(self._sent) - len(self._delays)

    def _run(self) -> None:
        try:
            asyncio.run(self._probe())
        except Exception as error:  # noqa: BLE001 - told by `finish`, on the thread that waits
            self._error = error

    async def _probe(self) -> None:
        looking = asyncio.create_task(self._look())
        producer = AIOKafkaProducer(bootstrap_servers=list(self._settings.kafka_bootstrap), acks="all")
        await producer.start()
        try:
            while not self._over.is_set():
                await self._send(producer)
                await asyncio.sleep(_EVERY_SECONDS)
        finally:
            await producer.stop()
        async with asyncio.timeout(_PATIENCE_SECONDS + 30.0):
            await looking

    async def _send(self, producer: AIOKafkaProducer) -> None:
        number = len(self._sent)
        identity = event_id(number).decode()
        fixed = {"event_type": "qos_metric", "metric": "mos", "value": 4}
        event = fixed | {"event_id": identity, "tenant_id": self._tenant, "timestamp": datetime.now(UTC)}
        await producer.send_and_wait(topics.VOC_METRICS, msgspec.json.encode(event), b"%d" % number)
        self._sent[identity] = time.monotonic()

    async def _look(self) -> None:
        warehouse = Warehouse(self._settings)
        deadline = float("inf")
        try:
            while time.monotonic() < deadline:
                with suppress(OutsideError, KafkaError, OSError):
                    rows = await warehouse.query("SELECT toString(event_id) AS id FROM voc_events WHERE tenant_id = {t:String}", {"t": self._tenant})
                    self._note({row["id"] for row in rows}, time.monotonic())
                if self._over.is_set():
                    deadline = min(deadline, time.monotonic() + _PATIENCE_SECONDS)
                    if len(self._delays) == len(self._sent):
                        return
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await warehouse.close()

    def _note(self, found: set[str], now: float) -> None:
        for identity in found - self._delays.keys():
            if identity in self._sent:
                self._delays[identity] = now - self._sent[identity]
