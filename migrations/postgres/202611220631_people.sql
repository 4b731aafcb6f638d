-- Agents, and customers' personal data, which lives here and nowhere else (docs/adr/0006-personal-data.md).
-- depends: 202611220630_calls

CREATE TABLE agent (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id   varchar(16) NOT NULL UNIQUE,
    full_name  text,
    team       varchar(64),
    hire_date  date,
    active     boolean     NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TRIGGER agent_touch BEFORE UPDATE ON agent
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

CREATE TABLE customer_pii (
    call_id       varchar(32)  PRIMARY KEY REFERENCES call (call_id) ON DELETE CASCADE,
    tenant_id     varchar(64)  NOT NULL,
    key_id        varchar(64)  NOT NULL,
    other_parties text,
    udfs          text,
    created_at    timestamptz  NOT NULL DEFAULT now(),
    updated_at    timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT customer_pii_sealed CHECK (other_parties LIKE 'v1.%' AND udfs LIKE 'v1.%')
);
COMMENT ON TABLE customer_pii IS 'AES-256-GCM, bound to (tenant, table, column, call_id); key_id names the key.';
CREATE INDEX customer_pii_key ON customer_pii (key_id);

CREATE TRIGGER customer_pii_touch BEFORE UPDATE ON customer_pii
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();
