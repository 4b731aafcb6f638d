DROP INDEX call_by_sentiment;
DROP INDEX call_by_skill;
DROP INDEX call_by_topic;
DROP INDEX call_unwell;
DROP INDEX call_by_agent;
DROP INDEX call_by_score;
DROP INDEX call_by_time;
CREATE INDEX call_tenant_started ON call (tenant_id, started_at);

DROP TRIGGER call_composite_told ON call_composite;
DROP FUNCTION tell_call_its_composite();
DROP TRIGGER scoring_result_told ON scoring_result;
DROP FUNCTION tell_call_its_result();

ALTER TABLE call_composite DROP COLUMN topic;
ALTER TABLE call
    DROP COLUMN topic,
    DROP COLUMN composite,
    DROP COLUMN sentiment,
    DROP COLUMN scored_delay,
    DROP COLUMN scored_at,
    DROP COLUMN score;
