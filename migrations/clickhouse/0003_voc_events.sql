-- Every customer event once, as its record came (payload), with what was made of it and where in Kafka it lay.
-- The tokens of inserts are remembered for ${token_window} parts, so that a window sent again adds nothing.
CREATE TABLE IF NOT EXISTS voc_events
(
    event_id          UUID,
    tenant_id         LowCardinality(String),
    event_type        LowCardinality(String),
    ts                DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    agent_id          String,
    call_id           String,
    customer_id       String,
    payload           String CODEC(ZSTD),
    sentiment         Nullable(Float32),
    sentiment_source  LowCardinality(String),
    language          LowCardinality(String),
    topic             Nullable(String),
    topic_confidence  Nullable(Float32),
    topic_source      LowCardinality(String),
    processed_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    kafka_incarnation LowCardinality(String),
    kafka_topic       LowCardinality(String),
    kafka_partition   Int32,
    kafka_offset      Int64 CODEC(Delta, ZSTD),
    INDEX processed_at_range processed_at TYPE minmax GRANULARITY 4,
    INDEX kafka_offset_range kafka_offset TYPE minmax GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY ${partition_by}
ORDER BY (tenant_id, ts, event_id)
SETTINGS non_replicated_deduplication_window = ${token_window};
