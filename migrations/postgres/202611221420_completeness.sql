-- The completeness ledger (docs/completeness.md): of each tenant and closed hour one equation a hop, and by name what is missing.
-- depends: 202611221400_dead_letters

CREATE TABLE completeness (
    hour       timestamptz NOT NULL,
    tenant_id  varchar(64) NOT NULL,
    hop        varchar(16) NOT NULL,
    expected   bigint      NOT NULL,
    found      jsonb       NOT NULL,
    gaps       bigint      NOT NULL,
    checked_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (hour, tenant_id, hop)
);
COMMENT ON COLUMN completeness.found IS 'What makes up the right side, by kind; with the gaps it is what was expected.';
CREATE INDEX completeness_open ON completeness (hour) WHERE gaps > 0;

CREATE TRIGGER completeness_touch BEFORE UPDATE ON completeness
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

CREATE TABLE completeness_gap (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour       timestamptz  NOT NULL,
    tenant_id  varchar(64)  NOT NULL,
    hop        varchar(16)  NOT NULL,
    subject    varchar(300) NOT NULL,
    what       text         NOT NULL,
    remedy     varchar(32),
    created_at timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT completeness_gap_of_an_equation FOREIGN KEY (hour, tenant_id, hop) REFERENCES completeness ON DELETE CASCADE
);
COMMENT ON TABLE completeness_gap IS 'As the hour was last examined; subject is a call_id, or offsets of a topic.';
CREATE INDEX completeness_gap_equation ON completeness_gap (hour, tenant_id, hop);

-- Hours that were examined, also those without a call.
CREATE TABLE completeness_hour (
    hour       timestamptz PRIMARY KEY,
    checked_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The hours of the ledger are those in which calls started, of all tenants.
CREATE INDEX call_started ON call (started_at);
