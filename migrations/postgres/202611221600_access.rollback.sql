DROP INDEX audit_log_tenant;
DROP TABLE web_session;
DROP TABLE access_token;
