-- What an operator paused (docs/pausing.md): the newest order about each stage and tenant; `*` is every one. The audit log has the older ones.
-- depends: 202611221400_dead_letters

CREATE TABLE pause (
    stage      varchar(32)  NOT NULL,
    tenant_id  varchar(64)  NOT NULL,
    paused     boolean      NOT NULL,
    reason     varchar(500) NOT NULL,
    actor      varchar(128) NOT NULL,
    changed_at timestamptz  NOT NULL,
    created_at timestamptz  NOT NULL DEFAULT now(),
    updated_at timestamptz  NOT NULL DEFAULT now(),
    PRIMARY KEY (stage, tenant_id),
    CONSTRAINT pause_of_something CHECK (stage <> '*' OR tenant_id <> '*')
);

CREATE TRIGGER pause_touch BEFORE UPDATE ON pause
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();
