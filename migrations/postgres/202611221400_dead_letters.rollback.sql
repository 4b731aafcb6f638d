-- The table as 202611220632_operations made it. Stored letters go; Kafka keeps them for its 30 days.
DROP TABLE dead_letter;

CREATE TABLE dead_letter (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic           varchar(249) NOT NULL,
    partition       integer      NOT NULL,
    "offset"        bigint       NOT NULL,
    stage           varchar(32)  NOT NULL,
    tenant_id       varchar(64),
    call_id         varchar(32),
    error_type      varchar(64)  NOT NULL,
    reason          text         NOT NULL,
    stack           text,
    fingerprint     char(64)     NOT NULL,
    retries         integer      NOT NULL DEFAULT 0,
    first_failed_at timestamptz  NOT NULL,
    last_failed_at  timestamptz  NOT NULL,
    key_id          varchar(64)  NOT NULL,
    original_key    text,
    original_value  text,
    original_headers text,
    requeues        integer      NOT NULL DEFAULT 0,
    requeued_at     timestamptz,
    created_at      timestamptz  NOT NULL DEFAULT now(),
    updated_at      timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT dead_letter_once UNIQUE (topic, partition, "offset"),
    CONSTRAINT dead_letter_sealed CHECK (original_key LIKE 'v1.%' AND original_value LIKE 'v1.%' AND original_headers LIKE 'v1.%')
);
CREATE INDEX dead_letter_fingerprint ON dead_letter (fingerprint, last_failed_at);
CREATE INDEX dead_letter_call ON dead_letter (call_id) WHERE call_id IS NOT NULL;

CREATE TRIGGER dead_letter_touch BEFORE UPDATE ON dead_letter
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();
