-- One row for each call whose quality and sentiment have met: read with FINAL. revision counts PostgreSQL's changes of the row.
CREATE TABLE IF NOT EXISTS call_composite
(
    tenant_id        LowCardinality(String),
    call_id          String,
    quality          Nullable(Float64),
    model_version    LowCardinality(String),
    scored_at        DateTime64(3, 'UTC'),
    sentiment        Float64,
    sentiment_source LowCardinality(String),
    heard_at         DateTime64(3, 'UTC'),
    weight           Float64,
    weights_version  UInt32,
    composite        Nullable(Float64),
    revision         UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant_id, call_id);
