-- A data key for each customer, original transcripts under it, and what must not be processed, deleted or brought back (docs/adr/0026-privacy.md).
-- depends: 202611221420_completeness

CREATE TABLE customer_key (
    key_id       uuid         PRIMARY KEY,
    tenant_id    varchar(64)  NOT NULL,
    owner        varchar(64)  NOT NULL,
    kek_id       varchar(64),
    wrapped      text,
    destroyed_at timestamptz,
    created_at   timestamptz  NOT NULL DEFAULT now(),
    updated_at   timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT customer_key_wrapped CHECK (wrapped LIKE 'v1.%'),
    CONSTRAINT customer_key_lives_or_not CHECK (num_nulls(kek_id, wrapped, destroyed_at) IN (1, 2) AND (wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
COMMENT ON TABLE customer_key IS 'Data keys, wrapped by the key of PII_KEYS that kek_id names, bound to (tenant, table, owner, key_id). A destroyed one keeps its row.';
COMMENT ON COLUMN customer_key.owner IS 'The customer''s pseudonym (call.customer_ref), or call: and the call_id where the other party is not known.';
CREATE UNIQUE INDEX customer_key_live ON customer_key (tenant_id, owner) WHERE wrapped IS NOT NULL;
CREATE INDEX customer_key_kek ON customer_key (kek_id, key_id) WHERE wrapped IS NOT NULL;

CREATE TRIGGER customer_key_touch BEFORE UPDATE ON customer_key
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

ALTER TABLE customer_pii DROP CONSTRAINT customer_pii_sealed;
ALTER TABLE customer_pii ADD CONSTRAINT customer_pii_sealed
    CHECK ((other_parties LIKE 'v1.%' OR other_parties LIKE 'v2.%') AND (udfs LIKE 'v1.%' OR udfs LIKE 'v2.%'));
COMMENT ON TABLE customer_pii IS 'AES-256-GCM, bound to (tenant, table, column, call_id); v2 by the customer''s data key, which key_id names, v1 by a key of PII_KEYS.';

CREATE TABLE original_transcript (
    call_id    varchar(32) PRIMARY KEY REFERENCES call (call_id) ON DELETE CASCADE,
    tenant_id  varchar(64) NOT NULL,
    key_id     uuid        NOT NULL,
    sealed     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT original_transcript_sealed CHECK (sealed LIKE 'v2.%')
);
COMMENT ON TABLE original_transcript IS 'The scorer''s transcript before redaction, compressed, sealed by the customer''s data key.';
ALTER TABLE original_transcript ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE TRIGGER original_transcript_touch BEFORE UPDATE ON original_transcript
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

CREATE TABLE forgotten (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  varchar(64) NOT NULL,
    scope      varchar(16) NOT NULL,
    subject    varchar(64) NOT NULL,
    until      timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT forgotten_once UNIQUE (tenant_id, scope, subject),
    CONSTRAINT forgotten_scope_known CHECK (scope IN ('tenant', 'customer', 'call'))
);
COMMENT ON TABLE forgotten IS 'What must not come back by a replay: whatever happened before `until`. Subject: empty, a pseudonym, or a call_id.';
CREATE INDEX forgotten_subject ON forgotten (subject, scope, tenant_id);
CREATE INDEX forgotten_news ON forgotten (updated_at);

CREATE TRIGGER forgotten_touch BEFORE UPDATE ON forgotten
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

CREATE TABLE restriction (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  varchar(64)  NOT NULL,
    kind       varchar(16)  NOT NULL,
    scope      varchar(16)  NOT NULL,
    subject    varchar(64)  NOT NULL,
    reason     text         NOT NULL,
    set_by     varchar(128) NOT NULL,
    lifted_by  varchar(128),
    lifted_at  timestamptz,
    created_at timestamptz  NOT NULL DEFAULT now(),
    updated_at timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT restriction_kind_known CHECK (kind IN ('legal_hold', 'do_not_score')),
    CONSTRAINT restriction_scope_known CHECK (scope IN ('tenant', 'customer', 'call')),
    CONSTRAINT restriction_has_a_reason CHECK (length(reason) BETWEEN 1 AND 500)
);
COMMENT ON TABLE restriction IS 'legal_hold: nothing of it is deleted. do_not_score: its calls are neither transcribed nor scored. Subject as in forgotten.';
CREATE UNIQUE INDEX restriction_in_force ON restriction (tenant_id, kind, scope, subject) WHERE lifted_at IS NULL;

CREATE TRIGGER restriction_touch BEFORE UPDATE ON restriction
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();
