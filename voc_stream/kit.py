"""Everything a worker's agents work with, made once by the factory and handed to each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import faust
from aiohttp.web import Request, StreamResponse

from tables.calls_seen import CallsSeen
from tables.event_ranges import EventRanges
from voc_stream import topics
from voc_stream.clients.call_privacy import CallPrivacy
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.recorder import RecorderClient
from voc_stream.clients.recordings import Recordings
from voc_stream.clients.scoring import ScoringClient
from voc_stream.clients.webhook import WebhookClient
from voc_stream.nlp.redaction import Redactor
from voc_stream.runtime.boot import PagesFirst
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.intake import Intake
from voc_stream.runtime.limit import Limit
from voc_stream.runtime.pauses import Pauses
from voc_stream.runtime.publisher import Publisher
from voc_stream.runtime.reading import GroupReading
from voc_stream.runtime.runner import StageRunner
from voc_stream.runtime.schema import PassThrough
from voc_stream.runtime.stage import Stage, Surroundings
from voc_stream.runtime.window_lane import WindowRules
from voc_stream.runtime.window_performer import Hook, WindowTools
from voc_stream.runtime.windowed import WindowedRunner
from voc_stream.security.vault import Vault
from voc_stream.services.alert_sender import AlertSender
from voc_stream.services.alerts import Evaluator
from voc_stream.services.annotating import Annotating
from voc_stream.services.composite import Composite
from voc_stream.services.health import Health
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.settings import Settings
from voc_stream.tracing.tracing import Tracing

Page = Callable[[Request], Awaitable[StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """The worker's tools.

    Args:
        around: what every stage shares: publisher, store, gates, crash.
        runners: the stages that were attached, for health and metrics.
        pauses: what stands still although nothing is down.
        health: whether a restart would mend the worker.
        tracing: decides what is traced.
        helpers: gates of what nothing waits for, such as a sentiment service: its work is done without it, and worse, while it is down.
    """

    app: Any
    settings: Settings
    around: Surroundings
    intake: Intake
    tracing: Tracing
    runners: dict[str, StageRunner | WindowedRunner]
    helpers: list[Gate]
    pauses: Pauses
    health: Health
    publisher: Publisher
    db: Database
    calls: CallStore
    privacy: CallPrivacy
    redactor: Redactor
    objects: ObjectStore
    recorder: RecorderClient
    recordings: Recordings
    scoring: ScoringClient
    downloads: Limit
    scores: Limit
    warehouse: Warehouse
    vault: Vault
    tenants: TenantsFile
    composite: Composite
    seen: CallsSeen
    ranges: EventRanges
    annotating: Annotating
    webhooks: WebhookClient
    evaluator: Evaluator
    alert_sender: AlertSender

    def source(self, *names: str) -> Any:
        """Return the Faust topic, of one Kafka topic or several, whose events are record batches of raw bytes."""
        return self.app.topic(*names, schema=PassThrough(), key_type=bytes, value_type=bytes)

    def runner(self, stage: Stage) -> StageRunner:
        """Make the runner of a stage and tie it into stopping and rebalancing."""
        runner = StageRunner(stage, self.around)
        self.intake.register(runner.quiesce)
        self.runners[stage.name] = runner
        return runner

    def windowed(self, rules: WindowRules, hooks: Sequence[Hook]) -> WindowedRunner:
        """Make the runner of the customer events and tie it into stopping and rebalancing."""
        tools = WindowTools(
            warehouse=self.warehouse,
            ledger=self.ranges,
            publisher=self.publisher,
            reading=GroupReading(self.app),
            lease=self.intake.lease,
            gates=self.around.gates,
            pauses=self.pauses,
            sources=frozenset(self.settings.kafka_topics),
            tracing=self.tracing,
            overflow_topic=topics.VOC_OVERFLOW,
            hooks=hooks,
        )
        runner = WindowedRunner(rules, tools, most_ids=self.settings.dedup_max_ids, crash=self.around.crash)
        self.intake.register(runner.quiesce)
        self.runners[runner.stage.name] = runner
        return runner

    @property
    def gates(self) -> Sequence[Gate]:
        """Every dependency's gate."""
        return tuple(self.around.gates.values())

    async def open(self) -> None:
        """Open the clients that want it; none of the servers need be up."""
        for client in (self.tracing, self.objects, self.recorder, self.scoring, self.webhooks, self.annotating):
            await client.open()

    def doubt(self) -> None:
        """Ask every dependency once; until it answers its stages wait, and the worker is not ready."""
        for gate in (*self.gates, *self.helpers):
            gate.doubt()

    async def close(self) -> None:
        """Stop probing and close the clients."""
        for gate in self.gates:
            await gate.stop()
        await self.alert_sender.close()
        for client in (self.annotating, self.webhooks, self.warehouse, self.scoring, self.recorder, self.objects, self.db, self.tracing):
            await client.close()


class App(faust.App):
    """The Faust app, which owns the kit and opens it before anything consumes."""

    intake: Intake
    kit: Kit
    BootStrategy = PagesFirst

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.pages: dict[tuple[str, str], Page] = {}
        self.at_start: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self.at_stop: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def on_webserver_init(self, web: Any) -> None:
        """Add our pages; Faust calls this twice a worker, and a route can be added once."""
        pages, self.pages = self.pages, {}
        for (method, path), page in pages.items():
            add = getattr(web.web_app.router, f"add_{method.lower()}")  # a GET answers HEAD, too
            add(path, page)

    async def on_start(self) -> None:
        """Open the clients, then start as Faust does, be the servers up or not."""
        await self.kit.open()
        self.kit.doubt()
        for task in self.at_start:
            self.add_future(task())
        await super().on_start()

    async def on_stop(self) -> None:
        """Stop as Faust does (work finishes or is abandoned un-acked), then close the clients."""
        for task in self.at_stop:
            await task()
        await super().on_stop()
        await self.kit.close()
