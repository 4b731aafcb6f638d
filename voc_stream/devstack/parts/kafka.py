"""Apache Kafka, one broker in KRaft mode."""

from __future__ import annotations

import asyncio
from pathlib import Path

from voc_stream.devstack.child import Command
from voc_stream.devstack.parts.base import HOST, Part
from voc_stream.devstack.parts.jars import ensure_jars, java

# The first compiler alone: four seconds less CPU at each start, which two cores feel.
_JVM = ("-Xmx512m", "-Xms256m", "-XX:TieredStopAtLevel=1", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData")
_LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.server.name = kafka.server
logger.server.level = info
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = error
"""


class Kafka(Part):
    """The broker; topics are never made by accident (auto creation is off)."""

    name = "kafka"
    port_names = ("kafka", "kafka-controller")

    @property
    def _folder(self) -> Path:
        return self.site.folder.root / "kafka"

    async def prepare(self) -> Command:
        """Jars, configuration, and the storage format of an empty data folder."""
        program = java()
        libs = await ensure_jars(self)
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        properties = self._folder / "server.properties"
        properties.write_text(render(data, self.port, self.site.ports["kafka-controller"]))
        log4j = self._folder / "log4j2.properties"
        log4j.write_text(_LOG4J)
        base = [program, f"-Dlog4j2.configurationFile={log4j}", "-Djava.net.preferIPv4Stack=true", "-cp", f"{libs}/*"]
        if not (data / "meta.properties").exists():
            arguments = ("format", "--cluster-id", self.site.secrets["kafka_cluster"], "--config", str(properties), "--ignore-formatted")
            await self.run_tool(Command([*base, "kafka.tools.StorageTool", *arguments]), "formatting the data folder", 60)
        return Command([program, *_JVM, *base[1:], "kafka.Kafka", str(properties)], grace_seconds=15.0)

    async def check(self, pid: int) -> None:
        """Ready when a client gets metadata and the group coordinator answers (so the first join need not wait)."""
        del pid
        _, writer = await asyncio.wait_for(asyncio.open_connection(HOST, self.port), 2)  # quietly, before a client that logs each refusal
        writer.close()
        from aiokafka.admin import AIOKafkaAdminClient

        admin = AIOKafkaAdminClient(bootstrap_servers=f"{HOST}:{self.port}", request_timeout_ms=5000)
        try:
            await admin.start()
            await admin.find_coordinator("devstack-probe")
        finally:
            await asyncio.wait_for(admin.close(), 5)

    def endpoints(self) -> dict[str, str]:
        """KAFKA_BOOTSTRAP."""
        return {"KAFKA_BOOTSTRAP": f"{HOST}:{self.port}"}


def render(data: Path, port: int, controller_port: int) -> str:
    """``server.properties`` of a single node that is broker and controller."""
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": str(16 << 20),
        "log.segment.bytes": str(64 << 20),
        "broker.heartbeat.interval.ms": "1000",
        "broker.session.timeout.ms": "5000",  # a killed broker may register again only when its old session is over
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())
