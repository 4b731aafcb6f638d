-- Who may ask, and who is logged in (docs/access.md). Secrets are kept as SHA-256 only: nobody who reads these tables can ask as somebody else.
-- depends: 202611221420_completeness

CREATE TABLE access_token (
    key           varchar(32)  PRIMARY KEY,
    secret_sha256 bytea        NOT NULL,
    label         varchar(128) NOT NULL DEFAULT '',
    tenant_id     varchar(64),
    scopes        text[]       NOT NULL,
    expires_at    timestamptz  NOT NULL,
    last_used_at  timestamptz,
    revoked_at    timestamptz,
    created_by    varchar(128) NOT NULL,
    created_at    timestamptz  NOT NULL DEFAULT now(),
    updated_at    timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT access_token_digest CHECK (octet_length(secret_sha256) = 32),
    CONSTRAINT access_token_scopes CHECK (scopes <@ ARRAY['read', 'original', 'operate', 'admin'] AND cardinality(scopes) > 0)
);
COMMENT ON COLUMN access_token.tenant_id IS 'NULL: all tenants.';

CREATE TRIGGER access_token_touch BEFORE UPDATE ON access_token
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

CREATE TABLE web_session (
    id_sha256    bytea        PRIMARY KEY,
    actor        varchar(128) NOT NULL,
    tenant_id    varchar(64),
    scopes       text[]       NOT NULL,
    token_key    varchar(32),
    expires_at   timestamptz  NOT NULL,
    last_seen_at timestamptz  NOT NULL DEFAULT now(),
    created_at   timestamptz  NOT NULL DEFAULT now(),
    updated_at   timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT web_session_digest CHECK (octet_length(id_sha256) = 32),
    CONSTRAINT web_session_of_a_token FOREIGN KEY (token_key) REFERENCES access_token ON DELETE CASCADE
);
COMMENT ON COLUMN web_session.token_key IS 'The token that the login form took; the session ends with it. NULL: logged in by OIDC.';
CREATE INDEX web_session_expires ON web_session (expires_at);
CREATE INDEX web_session_token ON web_session (token_key) WHERE token_key IS NOT NULL;

CREATE TRIGGER web_session_touch BEFORE UPDATE ON web_session
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();

CREATE INDEX audit_log_tenant ON audit_log (tenant_id, created_at);
