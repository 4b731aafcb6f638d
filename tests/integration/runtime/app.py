"""A worker of one stage, for tests: our transport, intake and runner; it tells on standard output what it does, a line each.

The stage publishes `partition:offset` of each record to the topic's `.out`. What it does with single records the environment says:
RT_HANG and RT_FAIL name one as `partition:offset`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faust
from faust.transport.drivers import TRANSPORTS

from voc_stream import factory
from voc_stream.errors import OutsideError
from voc_stream.events.base import Decoder
from voc_stream.events.calls import ModelVersionUpdated
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.intake import Intake
from voc_stream.runtime.publisher import Publisher
from voc_stream.runtime.runner import StageRunner
from voc_stream.runtime.schema import PassThrough
from voc_stream.runtime.stage import Delivery, Stage, Surroundings
from voc_stream.settings import Settings
from voc_stream.stages.changes import Change
from voc_stream.stages.outcome import DeadLetter, Facts, Ok, Outcome, Publication


class App(faust.App):
    """A Faust app with an intake, as the transport wants it."""

    intake: Intake


def tell(*words: object) -> None:
    # Faust turns sys.stdout into log lines.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class NoStore:
    """Takes changes, of which there are none."""

    async def apply(self, changes: Sequence[Change]) -> None:
        raise NotImplementedError


def make_app() -> App:
    settings = Settings(
        kafka_bootstrap=(os.environ["RT_BOOTSTRAP"],),
        kafka_group_id=os.environ["RT_GROUP"],
        kafka_session_timeout=6.0,
        state_dir=Path(os.environ["RT_STATE"]),
    )
    TRANSPORTS.aliases["kafka"] = "voc_stream.runtime.transport:Transport"
    ours: dict[str, Any] = {"Worker": faust.Worker, "store": "memory://", "datadir": os.environ["RT_STATE"]}
    app = App(**factory._faust_settings(settings) | ours)
    app.intake = Intake(grace=1.0)
    publisher = Publisher(app)
    around = Surroundings(publisher=publisher, store=NoStore(), gates={"kafka": Gate("kafka", publisher.probe)}, crash=app.crash)
    topic = os.environ["RT_TOPIC"]
    runner = StageRunner(Stage("copy", Decoder(ModelVersionUpdated), work(f"{topic}.out"), give_up, (), in_flight=32), around)
    app.intake.register(runner.quiesce)

    @app.agent(app.topic(topic, schema=PassThrough(), key_type=bytes, value_type=bytes))
    async def copy(stream: Any) -> None:
        await runner.run(stream.noack().events())

    @app.on_partitions_assigned.connect
    async def assigned(_app: Any, assigned: Any, **_: Any) -> None:
        tell("assigned", len([tp for tp in assigned if tp.topic == topic]))

    return app


def work(out: str) -> Any:
    hangs, fails = os.environ.get("RT_HANG"), os.environ.get("RT_FAIL")

    async def copy(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for delivery in deliveries:
            name = f"{delivery.facts.partition}:{delivery.facts.offset}"
            tell("begin", name)
            if name == hangs:
                await asyncio.Event().wait()
            if name == fails:
                raise ZeroDivisionError
            await asyncio.sleep(0)
            tell("work", name)
            event = ModelVersionUpdated(event_ts=delivery.event.event_ts, ingest_uuid=delivery.event.ingest_uuid, model_version=name)
            outcomes.append(Ok(out=(Publication(out, name, event),)))
        return outcomes

    return copy


def give_up(_event: Any, error: OutsideError, _facts: Facts, _chance: float) -> DeadLetter:
    return DeadLetter("rejected", str(error))


if __name__ == "__main__":
    worker = make_app()
    worker.main()
