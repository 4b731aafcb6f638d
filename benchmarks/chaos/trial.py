"""One chaos run on a stack: events are sent, workers and servers suffer, and at the end every place is counted."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from benchmarks.chaos.counting import Count, count_all
from benchmarks.chaos.flaky import FlakyProxy, flaky
from benchmarks.chaos.incidents import Incident, timeline
from benchmarks.chaos.sending import Sending, messages
from benchmarks.chaos.workers import Workers
from benchmarks.report import say
from voc_stream import topic_admin
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.stack import Stack
from voc_stream.settings import Settings

SESSION_SECONDS = 6.0
_KINDS = {b"call": "calls", b"agent_action": "actions", b"tool_invocation": "actions", b"qos_metric": "metrics"}
_WORKERS = 3
_PATIENCE_SECONDS = 180.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is to be.

    Attributes:
        events: numbered ones.
        kills: SIGKILLs, `apart` seconds after one another.
        servers: whether ClickHouse and the broker are restarted, too.
        lost: share of ClickHouse's replies to inserts.
    """

    events: int = 200_000
    kills: int = 15
    seed: int = 1
    apart: tuple[float, float] = (3.0, 9.0)
    servers: bool = True
    lost: float = 0.2


@dataclass(slots=True)
class Trial:
    """A run with topics, group, tenants and rows of its own, so that it may share a stack.

    Args:
        stack: Kafka, PostgreSQL, S3 and ClickHouse at least.
        settings: what leads to it.
        folder: for the workers' tables and logs.
        plan: how it is to be.
    """

    stack: Stack
    settings: Settings
    folder: Path
    plan: Plan
    name: str = field(default_factory=lambda: f"chaos-{secrets.token_hex(3)}")

    def run(self) -> Count:
        """Do it all.

        Raises:
            StackError: the workers stand still, or a server did not come back.
        """
        # What Kafka's clients say while the broker is down is not what this is about.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        plan = self.plan
        chance = random.Random(plan.seed)  # noqa: S311 - luck, not secrets
        incidents = timeline(plan.kills, plan.apart, SESSION_SECONDS * 2, chance, servers=plan.servers)
        self._make_topics()
        plans = messages(plan.events, plan.seed, self._topics, self.name)
        sending = Sending(list(self.settings.kafka_bootstrap), plans, plan.events, incidents[-1].at)
        with flaky(self.settings.clickhouse_port, plan.lost, plan.seed) as proxy:
            workers = Workers(_WORKERS, self.stack.folder.absolute(), self.folder, self._environment(proxy), chance)
            try:
                workers.start()
                workers.wait_ready()
                sending.start()
                self._suffer(workers, incidents)
                sent = sending.finish()
                self._until_no_lag(workers)
            finally:
                workers.stop()
        say(f"replies lost: {proxy.lost} of {proxy.inserts} inserts; workers that ended by themselves: {workers.ended_by_themselves}")
        count = asyncio.run(count_all(self.settings, self.name, sorted(set(self._topics.values())), plan.events, sent))
        count.kills = workers.kills
        return count

    @property
    def _topics(self) -> dict[bytes, str]:
        return {kind: f"voc.{self.name}.{part}" for kind, part in _KINDS.items()}

    def _environment(self, proxy: FlakyProxy) -> Mapping[str, str]:
        return {
            "KAFKA_GROUP_ID": self.name,
            "KAFKA_TOPICS": ",".join(sorted(set(self._topics.values()))),
            "KAFKA_INCARNATION": self.name,
            "KAFKA_SESSION_TIMEOUT": str(SESSION_SECONDS),
            "CLICKHOUSE_HOST": "127.0.0.1",
            "CLICKHOUSE_PORT": str(proxy.port),
            "CLICKHOUSE_TIMEOUT_SECONDS": "10",
            "AVAYA_POLL_SECONDS": "60",
            "AVAYA_SWEEP_SECONDS": "900",
            "LOG_FORMAT": "json",
        }

    def _suffer(self, workers: Workers, incidents: Sequence[Incident]) -> None:
        began = time.monotonic()
        # A server takes its time to come back; the workers' troubles go on meanwhile.
        with ThreadPoolExecutor(2) as aside:
            restarts = []
            for incident in incidents:
                while (left := began + incident.at - time.monotonic()) > 0:
                    workers.mend()
                    time.sleep(min(left, _LOOK_SECONDS))
                say(f"{time.monotonic() - began:.1f} s: {incident.what}")
                match incident.what:
                    case "kill":
                        workers.kill_one()
                    case "freeze":
                        workers.freeze_one()
                    case "wake":
                        workers.wake()
                    case "restart clickhouse":
                        restarts.append(aside.submit(self._restart_clickhouse))
                    case "restart kafka":
                        restarts.append(aside.submit(self.stack.restart_part, "kafka"))
            for restart in restarts:
                restart.result()

    def _restart_clickhouse(self) -> None:
        # With SIGKILL: between a table and its views, too.
        self.stack.kill("clickhouse")
        self.stack.start_part("clickhouse")

    def _until_no_lag(self, workers: Workers) -> None:
        last, changed = -1, time.monotonic()
        while lag := asyncio.run(self._lag()):
            workers.mend()
            if lag != last:
                last, changed = lag, time.monotonic()
                say(f"lag {lag}")
            if time.monotonic() - changed > _PATIENCE_SECONDS:
                raise StackError(f"the lag has stood at {lag} for {_PATIENCE_SECONDS:.0f} s")
            time.sleep(_LOOK_SECONDS)

    async def _lag(self) -> int:
        """Return how many records of our topics are not committed."""
        consumer = AIOKafkaConsumer(bootstrap_servers=list(self.settings.kafka_bootstrap), group_id=self.name, enable_auto_commit=False)
        await consumer.start()
        try:
            names = sorted(set(self._topics.values()))
            partitions = [TopicPartition(name, number) for name in names for number in range(12)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            committed = {partition: await consumer.committed(partition) or 0 for partition in partitions}
            return sum(ends[partition] - committed[partition] for partition in partitions)
        finally:
            await consumer.stop()

    def _make_topics(self) -> None:
        lines: list[str] = []
        names = tuple(sorted(set(self._topics.values())))
        settings = self.settings.model_copy(update={"kafka_group_id": self.name, "kafka_topics": names})
        if asyncio.run(topic_admin.run(settings, lines.append)):
            raise StackError("\n".join(lines))

    def tidy(self) -> None:
        """Remove the topics."""
        with suppress(KafkaError):
            asyncio.run(self._delete_topics())

    async def _delete_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.settings.kafka_bootstrap))
        await admin.start()
        try:
            await admin.delete_topics([name for name in await admin.list_topics() if self.name in name])
        finally:
            await admin.close()
