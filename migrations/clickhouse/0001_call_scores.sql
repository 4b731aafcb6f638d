-- One row for each (call_id, model_version), however often it is inserted: read with FINAL.
-- version comes from the event alone, so a replay is the same row.
CREATE TABLE IF NOT EXISTS call_scores
(
    call_id        String,
    model_version  LowCardinality(String),
    tenant_id      LowCardinality(String),
    agent_id       LowCardinality(String),
    skill          LowCardinality(String),
    service        LowCardinality(String),
    switch_call_id String,
    started_at     DateTime64(3, 'UTC'),
    ended_at       DateTime64(3, 'UTC'),
    duration       Float64,
    outcome        LowCardinality(String),
    reason         LowCardinality(String),
    score          Nullable(Float64),
    breakdown      String,
    asr_model      LowCardinality(String),
    latency_ms     UInt64,
    scored_at      DateTime64(3, 'UTC'),
    version        UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
ORDER BY (call_id, model_version)
SETTINGS non_replicated_deduplication_window = 10000;
