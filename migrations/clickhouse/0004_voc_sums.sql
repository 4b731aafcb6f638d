-- What dashboards read: counts and sums of customer events by hour, day, agent and topic. They merge; a mean is made where it is shown.
-- Outside dev an insert is on the disk when it is acknowledged: what Kafka's offsets call done outlives a power cut.
-- A part that a deletion emptied stays until it is merged: its token would be forgotten with it, and the window sent again would bring rows back.
ALTER TABLE voc_events MODIFY SETTING fsync_after_insert = ${fsync}, remove_empty_parts = 0;

-- A time up to which no event may be inserted, while the sums of some days are exchanged. One row, or none; owner is whose work it is.
CREATE TABLE IF NOT EXISTS voc_hold
(
    id    UInt8,
    until DateTime64(3, 'UTC'),
    owner String
)
ENGINE = Join(ANY, LEFT, id)
SETTINGS join_any_take_last_row = 1;

ALTER TABLE voc_events ADD CONSTRAINT IF NOT EXISTS not_held CHECK joinGet('${database}.voc_hold', 'until', toUInt8(1)) < now64(3);

-- Each event is in it four times: `by` hour, day, agent and topic. `at` is the start of the hour, or else of the day; `key` is the agent or topic.
CREATE TABLE IF NOT EXISTS voc_sums
(
    tenant_id     LowCardinality(String),
    by            LowCardinality(String),
    at            DateTime('UTC'),
    key           String,
    event_type    LowCardinality(String),
    events        Int64,
    scored        Int64,
    sentiment_sum Decimal(38, 6),
    positive      Int64,
    negative      Int64,
    complaints    Int64
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (tenant_id, by, at, key, event_type)
SETTINGS non_replicated_deduplication_window = ${token_window}, fsync_after_insert = ${fsync}, remove_empty_parts = 0;

-- The sums as the events have them now: what voc_sums must be, and what it is rebuilt from.
CREATE VIEW IF NOT EXISTS voc_event_sums AS
SELECT
    tenant_id,
    toDate(ts) AS day,
    by,
    at,
    key,
    event_type,
    toInt64(count()) AS events,
    toInt64(countIf(sentiment BETWEEN -1 AND 1)) AS scored,
    sum(toDecimal64(if(sentiment BETWEEN -1 AND 1, assumeNotNull(sentiment), 0), 6)) AS sentiment_sum,
    toInt64(countIf(sentiment BETWEEN 0.05 AND 1)) AS positive,
    toInt64(countIf(sentiment BETWEEN -1 AND -0.05)) AS negative,
    toInt64(countIf(topic = 'complaint')) AS complaints
FROM voc_events
ARRAY JOIN
    ['hour', 'day', 'agent', 'topic'] AS by,
    [toStartOfHour(ts), toDateTime(toDate(ts), 'UTC'), toDateTime(toDate(ts), 'UTC'), toDateTime(toDate(ts), 'UTC')] AS at,
    ['', '', agent_id, ifNull(topic, '')] AS key
GROUP BY tenant_id, day, by, at, key, event_type;

CREATE MATERIALIZED VIEW IF NOT EXISTS voc_sums_feed TO voc_sums AS
SELECT
    tenant_id,
    by,
    at,
    key,
    event_type,
    toInt64(count()) AS events,
    toInt64(countIf(sentiment BETWEEN -1 AND 1)) AS scored,
    sum(toDecimal64(if(sentiment BETWEEN -1 AND 1, assumeNotNull(sentiment), 0), 6)) AS sentiment_sum,
    toInt64(countIf(sentiment BETWEEN 0.05 AND 1)) AS positive,
    toInt64(countIf(sentiment BETWEEN -1 AND -0.05)) AS negative,
    toInt64(countIf(topic = 'complaint')) AS complaints
FROM voc_events
ARRAY JOIN
    ['hour', 'day', 'agent', 'topic'] AS by,
    [toStartOfHour(ts), toDateTime(toDate(ts), 'UTC'), toDateTime(toDate(ts), 'UTC'), toDateTime(toDate(ts), 'UTC')] AS at,
    ['', '', agent_id, ifNull(topic, '')] AS key
GROUP BY tenant_id, by, at, key, event_type;

-- Where months are made anew before they are exchanged; empty otherwise. It must not know tokens.
CREATE TABLE IF NOT EXISTS voc_sums_rebuilt AS voc_sums;
ALTER TABLE voc_sums_rebuilt MODIFY SETTING non_replicated_deduplication_window = 0;

-- How far each partition of a topic is stored, and how many parts each hour's windows made.
CREATE TABLE IF NOT EXISTS voc_offsets
(
    kafka_incarnation LowCardinality(String),
    kafka_topic       LowCardinality(String),
    kafka_partition   Int32,
    hour              DateTime('UTC'),
    newest            SimpleAggregateFunction(max, Int64),
    parts             SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (kafka_incarnation, kafka_topic, kafka_partition, hour)
SETTINGS non_replicated_deduplication_window = ${token_window}, fsync_after_insert = ${fsync};

CREATE MATERIALIZED VIEW IF NOT EXISTS voc_offsets_feed TO voc_offsets AS
SELECT
    kafka_incarnation,
    kafka_topic,
    kafka_partition,
    toStartOfHour(processed_at) AS hour,
    max(kafka_offset) AS newest,
    uniqExact(${partition_by}) AS parts
FROM voc_events
GROUP BY kafka_incarnation, kafka_topic, kafka_partition, hour;

-- Where in Kafka deleted events lay, for as long as Kafka may still have them: a range that is formed again does not bring them back.
CREATE TABLE IF NOT EXISTS voc_forgotten
(
    kafka_incarnation LowCardinality(String),
    kafka_topic       LowCardinality(String),
    kafka_partition   Int32,
    kafka_offset      Int64 CODEC(Delta, ZSTD),
    forgotten_at      DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (kafka_incarnation, kafka_topic, kafka_partition, kafka_offset)
TTL forgotten_at + INTERVAL 60 DAY;
