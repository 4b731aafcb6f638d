-- What the operator needs: how far the poller came, dead letters, who did what.
-- depends: 202611220631_people

CREATE TABLE ingestion_checkpoint (
    id               smallint    PRIMARY KEY,
    last_polled_from timestamptz NOT NULL,
    last_polled_to   timestamptz NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ingestion_checkpoint_window_or_sweep CHECK (id IN (1, 2)),
    CONSTRAINT ingestion_checkpoint_forward CHECK (last_polled_from <= last_polled_to)
);

CREATE TRIGGER ingestion_checkpoint_touch BEFORE UPDATE ON ingestion_checkpoint
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

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

CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor      varchar(128) NOT NULL,
    action     varchar(64)  NOT NULL,
    subject    varchar(256) NOT NULL,
    tenant_id  varchar(64),
    before     jsonb,
    after      jsonb,
    address    inet,
    created_at timestamptz  NOT NULL DEFAULT now()
);
CREATE INDEX audit_log_created ON audit_log (created_at);

CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END;
$$;

CREATE TRIGGER audit_log_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only();
