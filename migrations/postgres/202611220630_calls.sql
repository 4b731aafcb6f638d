-- The calls pipeline (spec section 5): calls, their recordings, their scores, their timeline.

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;

CREATE TABLE call (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id          varchar(32)  NOT NULL UNIQUE,
    tenant_id        varchar(64)  NOT NULL,
    started_at       timestamptz  NOT NULL,
    ended_at         timestamptz  NOT NULL,
    agent_id         varchar(16)  NOT NULL DEFAULT '',
    customer_ref     varchar(64)  NOT NULL DEFAULT '',
    skill            varchar(64)  NOT NULL DEFAULT '',
    service          varchar(64)  NOT NULL DEFAULT '',
    switch_call_id   varchar(128) NOT NULL DEFAULT '',
    metadata_version integer      NOT NULL DEFAULT 1,
    status           varchar(16)  NOT NULL DEFAULT 'PENDING_DOWNLOAD',
    status_reason    text,
    next_attempt_at  timestamptz,
    first_missing_at timestamptz,
    redrives         integer      NOT NULL DEFAULT 0,
    event_ts         timestamptz  NOT NULL,
    ingest_uuid      uuid         NOT NULL,
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT call_status_known CHECK (status IN ('PENDING_DOWNLOAD', 'DOWNLOADED', 'SCORED', 'NOT_SCORABLE', 'MISSING', 'ERROR')),
    CONSTRAINT call_redrives_positive CHECK (redrives >= 0)
);
COMMENT ON COLUMN call.customer_ref IS 'Keyed pseudonym of the other party; the number itself is in customer_pii, encrypted.';
COMMENT ON COLUMN call.next_attempt_at IS 'When a parked or failed call is published again; NULL when nothing is due.';
COMMENT ON COLUMN call.redrives IS 'How often a failed call went back to PENDING_DOWNLOAD by itself.';
COMMENT ON COLUMN call.event_ts IS 'event_ts and ingest_uuid of the call''s calls.enriched value, so that it can be published again unchanged.';

CREATE INDEX call_status ON call (status);
CREATE INDEX call_due ON call (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX call_tenant_started ON call (tenant_id, started_at);
CREATE INDEX call_switch ON call (tenant_id, switch_call_id) WHERE switch_call_id <> '';
CREATE INDEX call_unassigned ON call (service, skill) WHERE tenant_id = 'unassigned';

CREATE TRIGGER call_touch BEFORE UPDATE ON call
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

CREATE TABLE audio_asset (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id          varchar(32) NOT NULL UNIQUE REFERENCES call (call_id) ON DELETE CASCADE,
    s3_key           text,
    sha256           char(64),
    codec            varchar(32),
    sample_rate      integer,
    channels         smallint,
    duration_seconds numeric(10, 2),
    size_bytes       bigint,
    ingest_delay_ms  bigint,
    status           varchar(16) NOT NULL,
    event_ts         timestamptz,
    ingest_uuid      uuid,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audio_asset_status_known CHECK (status IN ('READY', 'MISSING', 'ERROR')),
    CONSTRAINT audio_asset_ready_is_complete CHECK (
        status <> 'READY' OR num_nulls(s3_key, sha256, codec, sample_rate, channels, duration_seconds, size_bytes, ingest_delay_ms, event_ts, ingest_uuid) = 0
    )
);

CREATE TRIGGER audio_asset_touch BEFORE UPDATE ON audio_asset
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

CREATE TABLE scoring_result (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id          varchar(32)  NOT NULL REFERENCES call (call_id) ON DELETE CASCADE,
    model_version    varchar(128) NOT NULL,
    asr_model        varchar(128) NOT NULL,
    outcome          varchar(16)  NOT NULL,
    reason           varchar(64),
    score            numeric(5, 2),
    details          jsonb        NOT NULL,
    latency_ms       bigint       NOT NULL,
    duration_seconds double precision NOT NULL,
    talk_seconds     double precision NOT NULL,
    transcript_key   text,
    scored_at        timestamptz  NOT NULL,
    event_ts         timestamptz  NOT NULL,
    ingest_uuid      uuid         NOT NULL,
    exported_at      timestamptz,
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT scoring_result_once UNIQUE (call_id, model_version),
    CONSTRAINT scoring_result_outcome_known CHECK (outcome IN ('SCORED', 'NOT_SCORABLE')),
    CONSTRAINT scoring_result_score_where_scored CHECK ((outcome = 'SCORED') = (score IS NOT NULL)),
    CONSTRAINT scoring_result_score_in_range CHECK (score BETWEEN 0 AND 100)
);
CREATE INDEX scoring_result_created ON scoring_result (created_at);
CREATE INDEX scoring_result_not_exported ON scoring_result (created_at) WHERE exported_at IS NULL;

CREATE TRIGGER scoring_result_touch BEFORE UPDATE ON scoring_result
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

-- No foreign key: a call that failed before its row was written has a timeline too.
CREATE TABLE call_event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id    varchar(32)  NOT NULL,
    at         timestamptz  NOT NULL,
    stage      varchar(32)  NOT NULL,
    what       varchar(32)  NOT NULL,
    status     varchar(16),
    attempt    integer      NOT NULL DEFAULT 1,
    topic      varchar(249) NOT NULL DEFAULT '',
    partition  integer      NOT NULL DEFAULT -1,
    "offset"   bigint       NOT NULL DEFAULT -1,
    detail     text,
    created_at timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT call_event_once UNIQUE (call_id, stage, what, topic, partition, "offset", attempt)
);
CREATE INDEX call_event_timeline ON call_event (call_id, at, id);
