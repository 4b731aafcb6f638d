-- Alerts (spec sections 1 and 8): one row for each tenant, rule and episode; and the outbox of what is to be told of them.
-- depends: 202611220633_conversation

CREATE TABLE alert (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id       uuid         NOT NULL UNIQUE,
    tenant_id      varchar(64)  NOT NULL,
    rule           varchar(64)  NOT NULL,
    metric         varchar(32)  NOT NULL,
    window_minutes integer      NOT NULL,
    raised_at      timestamptz  NOT NULL,
    raised_value   double precision NOT NULL,
    raised_count   integer      NOT NULL,
    cleared_at     timestamptz,
    cleared_cause  varchar(32),
    cleared_value  double precision,
    cleared_count  integer,
    created_at     timestamptz  NOT NULL DEFAULT now(),
    updated_at     timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT alert_metric_known CHECK (metric IN ('mean_sentiment', 'complaint_share')),
    CONSTRAINT alert_cause_known CHECK (cleared_cause IN ('data', 'rule_removed')),
    CONSTRAINT alert_cleared_is_complete CHECK (num_nulls(cleared_at, cleared_cause, cleared_count) IN (0, 3)),
    CONSTRAINT alert_forward CHECK (raised_at <= cleared_at)
);
-- Whoever raises first, raises: two leaders at once make one episode.
CREATE UNIQUE INDEX alert_open ON alert (tenant_id, rule) WHERE cleared_at IS NULL;
CREATE INDEX alert_newest ON alert (tenant_id, rule, raised_at DESC);
CREATE INDEX alert_cleared ON alert (cleared_at) WHERE cleared_at IS NOT NULL;

CREATE TRIGGER alert_touch BEFORE UPDATE ON alert
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

CREATE TABLE alert_outbox (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key             uuid         NOT NULL UNIQUE,
    alert_id        uuid         NOT NULL REFERENCES alert (alert_id) ON DELETE CASCADE,
    tenant_id       varchar(64)  NOT NULL,
    state           varchar(16)  NOT NULL,
    channel         varchar(16)  NOT NULL,
    body            text         NOT NULL,
    attempts        integer      NOT NULL DEFAULT 0,
    next_attempt_at timestamptz  NOT NULL,
    last_error      text,
    sent_at         timestamptz,
    created_at      timestamptz  NOT NULL DEFAULT now(),
    updated_at      timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT alert_outbox_once UNIQUE (alert_id, state, channel),
    CONSTRAINT alert_outbox_state_known CHECK (state IN ('raised', 'cleared')),
    CONSTRAINT alert_outbox_channel_known CHECK (channel IN ('topic', 'webhook'))
);
COMMENT ON COLUMN alert_outbox.key IS 'The idempotency key: the same at every attempt.';
COMMENT ON COLUMN alert_outbox.next_attempt_at IS 'While a replica has the entry in hand: when another one may take it over.';
CREATE INDEX alert_outbox_unsent ON alert_outbox (channel, next_attempt_at) WHERE sent_at IS NULL;
CREATE INDEX alert_outbox_sent ON alert_outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE TRIGGER alert_outbox_touch BEFORE UPDATE ON alert_outbox
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();
