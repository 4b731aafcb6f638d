-- What alerts are made of: sums by minute, for the sliding windows (docs/adr/0015-alerts.md). Times are of arrival (processed_at): a window over the
-- events' own times is never complete when it is read. What is older than six hours when it arrives is history.
CREATE TABLE IF NOT EXISTS voc_minutes
(
    tenant_id     LowCardinality(String),
    minute        DateTime('UTC'),
    scored        Int64,
    sentiment_sum Decimal(38, 6),
    topics        Int64,
    complaints    Int64
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMMDD(minute)
ORDER BY (minute, tenant_id)
TTL minute + INTERVAL 3 DAY
SETTINGS non_replicated_deduplication_window = ${token_window}, fsync_after_insert = ${fsync}, ttl_only_drop_parts = 1;

-- The minutes as the events have them now: what voc_minutes must be, and what it is rebuilt from.
CREATE VIEW IF NOT EXISTS voc_event_minutes AS
SELECT
    tenant_id,
    toStartOfMinute(toDateTime(processed_at, 'UTC')) AS minute,
    toInt64(countIf(sentiment BETWEEN -1 AND 1)) AS scored,
    sum(toDecimal64(if(sentiment BETWEEN -1 AND 1, assumeNotNull(sentiment), 0), 6)) AS sentiment_sum,
    toInt64(count(topic)) AS topics,
    toInt64(countIf(topic = 'complaint')) AS complaints
FROM voc_events
WHERE (sentiment IS NOT NULL OR topic IS NOT NULL) AND ts > processed_at - INTERVAL 6 HOUR
GROUP BY tenant_id, minute;

CREATE MATERIALIZED VIEW IF NOT EXISTS voc_minutes_feed TO voc_minutes AS
SELECT
    tenant_id,
    toStartOfMinute(toDateTime(processed_at, 'UTC')) AS minute,
    toInt64(countIf(sentiment BETWEEN -1 AND 1)) AS scored,
    sum(toDecimal64(if(sentiment BETWEEN -1 AND 1, assumeNotNull(sentiment), 0), 6)) AS sentiment_sum,
    toInt64(count(topic)) AS topics,
    toInt64(countIf(topic = 'complaint')) AS complaints
FROM voc_events
WHERE (sentiment IS NOT NULL OR topic IS NOT NULL) AND ts > processed_at - INTERVAL 6 HOUR
GROUP BY tenant_id, minute;

-- Where days are made anew before they are exchanged; empty otherwise. It must not know tokens.
CREATE TABLE IF NOT EXISTS voc_minutes_rebuilt AS voc_minutes;
ALTER TABLE voc_minutes_rebuilt MODIFY SETTING non_replicated_deduplication_window = 0;
