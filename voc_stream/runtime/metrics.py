"""Every metric, by the one name that dashboards and alerts may use (spec section 8)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
_RECORDS = (1, 10, 50, 100, 250, 500, 1000, 2000, 4000, 8000, 16_000)
_MILLISECONDS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000)

RECORDS = Counter("voc_stage_records", "Records a stage is done with.", ("stage", "outcome"), registry=REGISTRY)
STAGE_SECONDS = Histogram("voc_stage_seconds", "From taking a chunk of records up to resolving it.", ("stage",), buckets=_SECONDS, registry=REGISTRY)
RETRIES = Counter("voc_stage_retries", "Attempts beyond the first.", ("stage",), registry=REGISTRY)
DEAD_LETTERS = Counter("voc_dead_letters", "Records given up.", ("stage", "error_type"), registry=REGISTRY)
LETTERS_READ = Counter(
    "voc_dead_letters_read", "Records of dead-letter topics: stored, or rejected by PostgreSQL.", ("topic", "outcome"), registry=REGISTRY
)
REQUEUED = Counter("voc_dead_letters_requeued", "Dead letters sent back to their topic by this worker's pages.", ("topic",), registry=REGISTRY)
IN_FLIGHT = Gauge("voc_stage_in_flight", "Records a stage is working on.", ("stage",), registry=REGISTRY)
CONCURRENCY_LIMIT = Gauge("voc_stage_concurrency_limit", "Most records a stage works on at once.", ("stage",), registry=REGISTRY)
STAGE_PAUSED = Gauge(
    "voc_stage_paused",
    "1 while a stage stands still: by an operator, by itself, or because no dead letter can be written.",
    ("stage", "by"),
    registry=REGISTRY,
)
SELF_PAUSES = Counter("voc_stage_self_pauses", "Times that a stage paused itself for its dead letters.", ("stage",), registry=REGISTRY)
PAUSED_TENANTS = Gauge("voc_paused_tenants", "Tenants that an operator paused; stage * is every one.", ("stage",), registry=REGISTRY)
THROTTLED = Counter(
    "voc_throttled_records", "Records set aside, or moved to the overflow topic, for their tenant's dead letters.", ("stage",), registry=REGISTRY
)
LIMIT_ANSWERS = Counter("voc_limit_answers", "What a limit was told: ok, refused (too much to do), other.", ("stage", "result"), registry=REGISTRY)
LIMIT_CHANGES = Counter("voc_limit_changes", "Changes of a limit.", ("stage", "why"), registry=REGISTRY)
LIMIT_USUAL = Gauge("voc_limit_usual_latency", "Latency without crowding: seconds; of scoring, a second of recording.", ("stage",), registry=REGISTRY)
QUEUE_DEPTH = Gauge("queue_depth", "Records fetched and not resolved.", ("stage",), registry=REGISTRY)
DEPENDENCY_UP = Gauge("voc_dependency_up", "1 if the dependency is well, else 0 and its stages pause.", ("dependency",), registry=REGISTRY)
CONSUMER_LAG = Gauge("kafka_consumer_lag", "Records in the assigned partitions beyond the committed offsets.", ("topic", "group"), registry=REGISTRY)
HEALTHY = Gauge("voc_healthy", "0 while a restart would mend the worker: what /healthz says.", registry=REGISTRY)
STANDSTILL = Gauge(
    "voc_stage_standstill_seconds", "For how long a stage got nowhere, though it has work and what it needs is well.", ("stage",), registry=REGISTRY
)
STATE_FREE = Gauge("voc_state_free_bytes", "Free bytes below STATE_DIR.", registry=REGISTRY)
CREDENTIAL_EXPIRES = Gauge(
    "voc_credential_expires_timestamp_seconds", "When a certificate or a token that is in use ends.", ("credential",), registry=REGISTRY
)
TABLE_ROWS = Gauge("voc_table_rows", "Rows of a table in this worker's partitions, as RocksDB estimates.", ("table",), registry=REGISTRY)
TABLE_BYTES = Gauge("voc_table_bytes", "Bytes of a table in this worker's partitions.", ("table",), registry=REGISTRY)
RECOVERY_REMAINING = Gauge("voc_recovery_remaining", "Changes of tables that are not read yet.", registry=REGISTRY)

PEOPLE_SIDE_ENDS = Counter("voc_people_side_ends", "Times that the process of the people's side ended and was started again.", registry=REGISTRY)

POLLS = Counter("voc_polls", "Searches of the recorder.", ("sweep", "result"), registry=REGISTRY)
POLLED_CALLS = Counter("voc_polled_calls", "Segments the recorder told of and that were published.", ("sweep",), registry=REGISTRY)
POLL_SECONDS = Histogram("voc_poll_seconds", "One search of the recorder, with publishing.", ("sweep",), buckets=_SECONDS, registry=REGISTRY)
POLL_PAUSE = Gauge("voc_poll_pause_seconds", "From one search to the next; longer while the recorder is slow.", ("sweep",), registry=REGISTRY)
INGEST_LAG = Gauge("ingest_lag_seconds", "Now less the end of the newest window that was polled.", registry=REGISTRY)
INGEST_DELAY = Histogram(
    "ingest_delay_seconds", "From a call's start until it entered audio.ready.", buckets=(*_SECONDS, 1800, 3600, 7200, 14_400), registry=REGISTRY
)
DOWNLOAD_LATENCY = Histogram("download_latency_ms", "Recorder to S3, one recording.", buckets=_MILLISECONDS, registry=REGISTRY)
DOWNLOADED_BYTES = Counter("voc_downloaded_bytes", "Bytes copied from the recorder to S3.", registry=REGISTRY)
SCORING_LATENCY = Histogram("scoring_latency_ms", "The scoring API's round trip.", buckets=_MILLISECONDS, registry=REGISTRY)
SCORING_TOTAL = Histogram(
    "scoring_total_latency_seconds", "From a call's start until it was scored.", buckets=(*_SECONDS, 1800, 3600, 7200, 14_400), registry=REGISTRY
)
HOP_SECONDS = Histogram(
    "voc_hop_seconds", "From a call's end until it left this stage: its share of the two minutes.", ("stage",), buckets=_SECONDS, registry=REGISTRY
)
SCORED = Counter("voc_scored_calls", "Calls with a final result.", ("outcome", "reason"), registry=REGISTRY)
REDRIVEN = Counter("voc_redriven_calls", "Parked or failed calls published again.", registry=REGISTRY)
COMPLETENESS_GAPS = Gauge("voc_completeness_gaps", "Gaps in the hours that were last examined, by the leader that did.", ("hop",), registry=REGISTRY)
COMPLETENESS_CHECKED = Gauge("voc_completeness_checked_timestamp_seconds", "When this replica last examined closed hours.", registry=REGISTRY)
COMPLETENESS_FAILED = Counter("voc_completeness_failed", "Examinations of closed hours that a server did not let finish.", registry=REGISTRY)

TRACE_SPANS = Counter("voc_trace_spans", "Spans that were sent, or could not be: exported, failed.", ("outcome",), registry=REGISTRY)

ALERTS = Counter("voc_alerts", "Alerts raised and cleared.", ("metric", "state"), registry=REGISTRY)
ALERTS_OPEN = Gauge("voc_alerts_open", "Alerts raised and not cleared.", registry=REGISTRY)
ALERTS_EVALUATED = Gauge("voc_alerts_evaluated_timestamp_seconds", "When this replica last evaluated the rules.", registry=REGISTRY)
ALERT_POSTS = Counter("voc_alert_posts", "Posts to webhooks.", ("result",), registry=REGISTRY)
ALERT_OUTBOX_AGE = Gauge("voc_alert_outbox_oldest_seconds", "Age of the oldest alert that is not told yet.", ("channel",), registry=REGISTRY)

EVENTS_CONSUMED = Counter("voc_events_consumed", "Customer events taken into a window.", ("topic",), registry=REGISTRY)
EVENTS_PROCESSED = Counter(
    "voc_events_processed", "Customer events done with: stored, duplicate, dead_letter, moved, forgotten.", ("topic", "outcome"), registry=REGISTRY
)
EVENTS_REDACTED = Counter("voc_events_redacted", "Customer events in which personal data was replaced by marks.", registry=REGISTRY)
BATCH_SECONDS = Histogram(
    "voc_batch_process_seconds", "One window of customer events, from its last record's arrival to its end.", buckets=_SECONDS, registry=REGISTRY
)
BATCH_RECORDS = Histogram("voc_batch_records", "Records in a window of customer events.", buckets=_RECORDS, registry=REGISTRY)
DEDUP_IDS = Gauge("voc_dedup_ids", "Event ids that the worker remembers.", registry=REGISTRY)
TOKEN_WINDOW = Gauge(
    "voc_token_window_seconds", "How far back ClickHouse remembers the tokens of inserts, by the leader's last look.", registry=REGISTRY
)
REPLAYED = Counter("voc_windows_replayed", "Windows that were formed again, as the ledger says.", registry=REGISTRY)

ANNOTATED = Counter("voc_annotated_texts", "Customers' texts, by who told their feeling.", ("source",), registry=REGISTRY)
ANNOTATE_SECONDS = Histogram("voc_annotate_seconds", "Annotating one window of events.", buckets=_SECONDS, registry=REGISTRY)
SENTIMENT_CACHE = Counter("voc_sentiment_cache_lookups", "Look-ups of scores of a slow model.", ("result",), registry=REGISTRY)
SENTIMENT_LATE = Counter("voc_sentiment_late_answers", "Scores that came after their window had gone on; they are remembered.", registry=REGISTRY)
