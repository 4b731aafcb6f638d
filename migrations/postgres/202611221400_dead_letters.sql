-- Stored dead letters (spec section 6): one row a record of a dead-letter topic, which nothing wrote before now, so the table is made anew.
-- depends: 202611221100_composite_scored

DROP TABLE dead_letter;

CREATE TABLE dead_letter (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic            varchar(249) NOT NULL,
    partition        integer,
    "offset"         bigint,
    dlq_topic        varchar(249) NOT NULL,
    dlq_partition    integer      NOT NULL,
    dlq_offset       bigint       NOT NULL,
    written_at       timestamptz  NOT NULL,
    stage            varchar(32)  NOT NULL,
    tenant_id        varchar(64),
    call_id          varchar(64),
    customer_ref     varchar(64),
    error_type       varchar(64)  NOT NULL,
    reason           text         NOT NULL,
    stack            text         NOT NULL,
    fingerprint      varchar(64)  NOT NULL,
    retries          integer      NOT NULL,
    first_failed_at  timestamptz  NOT NULL,
    last_failed_at   timestamptz  NOT NULL,
    cut_from         bigint,
    original_key     text,
    original_value   text,
    original_headers text         NOT NULL,
    state            varchar(16)  NOT NULL DEFAULT 'open',
    requeues         integer      NOT NULL,
    requeued_from    bigint,
    requeued_at      timestamptz,
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT dead_letter_once UNIQUE (dlq_topic, dlq_partition, dlq_offset, written_at),
    CONSTRAINT dead_letter_state_known CHECK (state IN ('open', 'requeued', 'discarded')),
    CONSTRAINT dead_letter_sealed CHECK (original_key LIKE 'v1.%' AND original_value LIKE 'v1.%' AND original_headers LIKE 'v1.%')
);
COMMENT ON COLUMN dead_letter.partition IS 'Where the original is; NULL where it never was in Kafka (stage poll).';
COMMENT ON COLUMN dead_letter.written_at IS 'When Kafka got the dead letter: tells its coordinates from those of a topic that was made anew, and its age.';
COMMENT ON COLUMN dead_letter.requeues IS 'How often the record had been sent back before it failed this time.';
CREATE INDEX dead_letter_fingerprint ON dead_letter (fingerprint, last_failed_at);
CREATE INDEX dead_letter_source ON dead_letter (topic, partition, "offset");
CREATE INDEX dead_letter_call ON dead_letter (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX dead_letter_tenant ON dead_letter (tenant_id, last_failed_at);
CREATE INDEX dead_letter_written ON dead_letter (written_at);

CREATE TRIGGER dead_letter_touch BEFORE UPDATE ON dead_letter
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();
