"""The composition root: settings in, Faust app out. It alone imports agents and tables (autodiscovery hides errors)."""

from __future__ import annotations

import os
import ssl
from functools import partial
from typing import Any

import faust
from faust.auth import OAuthCredentials
from faust.stores import STORES
from faust.transport.drivers import TRANSPORTS
from faust.types.settings import Settings as FaustSettings
from mode.supervisors import CrashingSupervisor

from agents import (
    alerts,
    dead_letters,
    dedup,
    download,
    enrich,
    export,
    housekeep,
    partitions,
    pauses,
    people_side,
    poll,
    reconcile,
    retain,
    score,
    secrets,
    voc,
    watch,
)
from tables.calls_seen import CallsSeen
from tables.event_ranges import EventRanges
from voc_stream import cli, probes, topics
from voc_stream.clients.alert_outbox import AlertOutbox
from voc_stream.clients.alert_readings import AlertReadings
from voc_stream.clients.alert_store import AlertStore
from voc_stream.clients.call_privacy import CallPrivacy
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.composite_table import CompositeTable
from voc_stream.clients.kafka_tokens import kafka_tokens
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.recorder import RecorderClient
from voc_stream.clients.recordings import Recordings
from voc_stream.clients.scoring import ScoringClient
from voc_stream.clients.voc_feelings import VocFeelings
from voc_stream.clients.webhook import WebhookClient
from voc_stream.kit import App, Kit
from voc_stream.logs import configure_logging
from voc_stream.nlp.redaction import Redactor
from voc_stream.nlp.topics import TopicClassifier
from voc_stream.runtime import metrics
from voc_stream.runtime.broken_writes import tell_broken_writes
from voc_stream.runtime.fetch_close import close_fetchers_whole
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.group_close import leave_groups_in_time
from voc_stream.runtime.intake import Intake
from voc_stream.runtime.lease import Lease
from voc_stream.runtime.limit import Limit
from voc_stream.runtime.pauses import Pauses, Throttle
from voc_stream.runtime.publisher import Publisher
from voc_stream.runtime.runner import StageRunner
from voc_stream.runtime.stage import Surroundings
from voc_stream.runtime.state import STATE
from voc_stream.runtime.state_room import StateRoom
from voc_stream.runtime.windowed import WindowedRunner
from voc_stream.security.vault import Vault
from voc_stream.services.alert_sender import AlertSender
from voc_stream.services.alerts import Evaluator
from voc_stream.services.alerts_file import alerts_file
from voc_stream.services.annotating import Annotating
from voc_stream.services.annotator import Annotator
from voc_stream.services.composite import Composite
from voc_stream.services.health import Bounds, Health
from voc_stream.services.reloaded import FileError
from voc_stream.services.slow_models import second_opinion
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.services.topics_file import topics_file
from voc_stream.settings import Settings, SettingsError
from voc_stream.stages.download import STAGE as DOWNLOAD
from voc_stream.stages.score import STAGE as SCORE
from voc_stream.stages.self_pause import PauseRules
from voc_stream.tracing.tracing import Tracing
from voc_stream.worker import Worker

AGENTS = (
    poll, dedup, enrich, download, score, export, voc,
    watch, housekeep, alerts, retain, reconcile, dead_letters, pauses, partitions, secrets, people_side,
)  # fmt: skip
# By so much a worker that is busy with 150 downloads a second came to read a recorder's first bytes too late (docs/benchmarks.md, downloads).
LATE_SECONDS = 0.03


def create_app(settings: Settings) -> App:
    """Make the app with its agents, tables, commands and pages; nothing is connected yet.

    Raises:
        SettingsError: a setting of Faust's own in the environment would override ours, or the tenants file cannot be used.
    """
    _refuse_overrides()
    tell_broken_writes()
    close_fetchers_whole()
    leave_groups_in_time()
    TRANSPORTS.aliases["kafka"] = "voc_stream.runtime.transport:Transport"
    STORES.aliases["rocksdb"] = "voc_stream.runtime.state:Store"
    app = App(**_faust_settings(settings))
    app.intake = Intake(lease=Lease(settings.kafka_session_timeout))
    app.kit = _kit(app, settings)
    for agent in AGENTS:
        agent.attach(app, app.kit)
    probes.attach(app, app.kit)
    cli.attach(app, settings)
    return app


def _kit(app: App, settings: Settings) -> Kit:
    try:
        tenants = TenantsFile(settings.tenants_file)
        alert_rules = alerts_file(settings)
        keywords = topics_file(settings)
    except FileError as error:
        raise SettingsError(str(error)) from None
    try:
        redactor = Redactor(settings.redact_regions, settings.redact_national_ids)
    except ValueError as error:
        raise SettingsError(f"REDACT_NATIONAL_IDS or REDACT_REGIONS: {error}") from None
    vault = Vault(settings.encryption_keys, settings.pii_key_id)
    publisher = Publisher(app)
    db = Database(settings)
    objects = ObjectStore(settings)
    recorder = RecorderClient(settings)
    scoring = ScoringClient(settings)
    warehouse = Warehouse(settings)
    webhooks = WebhookClient(settings)
    calls = CallStore(db, vault, settings)
    probes = {
        "kafka": publisher.probe,
        "postgres": db.probe,
        "s3": objects.probe,
        "recorder": recorder.probe,
        "scorer": scoring.probe,
        "clickhouse": warehouse.probe,
        "vault": vault.probe,
        STATE: StateRoom(settings.state_dir, settings.state_min_free_bytes).probe,
    }
    gates = {name: Gate(name, probe) for name, probe in probes.items()}
    helpers: list[Gate] = []
    standing_still = _pauses(settings)
    tracing = Tracing(settings, lambda outcome, spans: metrics.TRACE_SPANS.labels(outcome).inc(spans))
    runners: dict[str, StageRunner | WindowedRunner] = {}
    return Kit(
        app=app,
        settings=settings,
        around=Surroundings(publisher=publisher, store=calls, gates=gates, crash=app.crash, pauses=standing_still, tracing=tracing),
        intake=app.intake,
        tracing=tracing,
        runners=runners,
        helpers=helpers,
        pauses=standing_still,
        health=Health(
            app=app,
            runners=runners,
            gates=gates,
            lease=app.intake.lease,
            bounds=Bounds(stuck=settings.health_stuck_seconds, group=settings.health_group_seconds),
            paused=standing_still.reason,
        ),
        publisher=publisher,
        db=db,
        calls=calls,
        privacy=CallPrivacy(db, vault),
        redactor=redactor,
        objects=objects,
        recorder=recorder,
        recordings=Recordings(recorder, objects),
        scoring=scoring,
        downloads=Limit(DOWNLOAD, gates["recorder"], floor=settings.download_in_flight_min, ceiling=settings.download_in_flight, slack=LATE_SECONDS),
        scores=Limit(SCORE, gates["scorer"], floor=settings.scoring_in_flight_min, ceiling=settings.scoring_in_flight),
        warehouse=warehouse,
        vault=vault,
        tenants=tenants,
        composite=Composite(CompositeStore(db), CompositeTable(warehouse), VocFeelings(warehouse), lambda: tenants.current().weights),
        seen=CallsSeen(app, settings.kafka_call_partitions, publisher),
        ranges=EventRanges(app, settings.kafka_event_partitions, publisher),
        annotating=Annotating(
            partial(Annotator.load, partial(TopicClassifier, keywords=keywords.current), second_opinion(settings, helpers.append))
            if settings.voc_annotate == "default"
            else None
        ),
        webhooks=webhooks,
        evaluator=Evaluator(file=alert_rules, readings=AlertReadings(warehouse), store=AlertStore(db)),
        alert_sender=AlertSender(outbox=AlertOutbox(db), publisher=publisher, webhooks=webhooks, file=alert_rules, topic=topics.VOC_ALERTS),
    )


def _pauses(settings: Settings) -> Pauses:
    rules = PauseRules(
        ratio=settings.self_pause_ratio,
        sample=settings.self_pause_sample,
        run=settings.self_pause_run,
        tenants=settings.self_pause_tenants,
        seconds=settings.self_pause_seconds,
    )
    throttle = Throttle(settings.tenant_call_letters_per_second, settings.tenant_event_letters_per_second)
    return Pauses(rules, throttle, untold=True)


def _faust_settings(settings: Settings) -> dict[str, Any]:
    return {
        "id": settings.kafka_group_id,
        "broker": [f"kafka://{server}" for server in settings.kafka_bootstrap],
        "broker_credentials": _credentials(settings),
        "broker_session_timeout": settings.kafka_session_timeout,
        "broker_heartbeat_interval": settings.kafka_session_timeout / 4,
        "broker_request_timeout": max(30.0, settings.kafka_session_timeout),
        "broker_commit_interval": 1.0,
        "broker_max_poll_records": 2000,
        # Of each partition, compressed, and the next is fetched while this is read: of 36 partitions a megabyte each is hundreds of MiB.
        "consumer_max_fetch_size": 64 << 10,
        "consumer_auto_offset_reset": "earliest",
        "producer_acks": -1,
        # lz4 comes at its highest level here: five times as long over a window's ids, which nothing makes smaller.
        "producer_compression_type": "zstd",
        "producer_linger": 0.002,
        "producer_request_timeout": 20.0,
        # The client counts before, the broker's limit after compression: what came in as one record must go out as a dead letter.
        "producer_max_request_size": 64 << 20,
        # Faust cannot create topics on Kafka 4; `faust -A voc_stream topics` does.
        "topic_allow_declare": False,
        "topic_replication_factor": settings.replication,
        # The intake bounds what is fetched, by partition and bytes; this queue holds batches and must never be the one that fills.
        "stream_buffer_maxsize": 8192,
        "agent_supervisor": CrashingSupervisor,
        "store": "rocksdb://",
        "datadir": str(settings.state_dir / "worker-1"),
        "table_standby_replicas": 0,
        "Worker": Worker,
        "web_host": settings.operator_host,
        "web_bind": settings.operator_host,
        "web_port": settings.operator_port,
        "web_tables_enabled": False,
        "web_router_enabled": False,
        "web_stats_enabled": False,
        "web_graph_enabled": False,
        "logging_config": configure_logging(settings),
        "autodiscover": False,
    }


def _credentials(settings: Settings) -> Any:
    if settings.kafka_security_protocol == "PLAINTEXT":
        return None
    context = _tls(settings) if settings.kafka_security_protocol.endswith("SSL") else None
    if settings.kafka_security_protocol == "SSL":
        return faust.SSLCredentials(context)
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        return OAuthCredentials(oauth_cb=kafka_tokens(settings), ssl_context=context)
    return faust.SASLCredentials(
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_sasl_username,
        password=settings.kafka_sasl_password.get_secret_value(),
        ssl_context=context,
    )


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(settings.kafka_ssl_ca_file) if settings.kafka_ssl_ca_file else None)
    if settings.kafka_ssl_cert_file:
        context.load_cert_chain(str(settings.kafka_ssl_cert_file), str(settings.kafka_ssl_key_file))
    return context


def _refuse_overrides() -> None:
    """Faust lets the environment override what code sets: a stray BROKER_URL would silently point the worker elsewhere."""
    ours = {"STATE_DIR", "LOG_LEVEL"}
    for setting in FaustSettings.SETTINGS.values():
        name = setting.env_name
        if name and name in os.environ and name not in ours:
            raise SettingsError(f"{name} is a setting of Faust's own and would override this application's: unset it")
