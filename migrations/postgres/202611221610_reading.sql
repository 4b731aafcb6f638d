-- What people read (docs/adr/0025-reading.md): a call's row holds all that a list shows, filters and sorts by, so that one index finds a page of it.
-- depends: 202611221420_completeness

ALTER TABLE call
    ADD COLUMN score        double precision,
    ADD COLUMN scored_at    timestamptz,
    ADD COLUMN scored_delay double precision,
    ADD COLUMN sentiment    double precision,
    ADD COLUMN composite    double precision,
    ADD COLUMN topic        varchar(64);
COMMENT ON COLUMN call.score IS 'Of the newest result (scoring_result tells it by a trigger); NULL where that says NOT_SCORABLE.';
COMMENT ON COLUMN call.scored_at IS 'When the newest result was made.';
COMMENT ON COLUMN call.scored_delay IS 'Seconds from the end of the call to its first result.';
COMMENT ON COLUMN call.sentiment IS 'With composite and topic: what call_composite says (it tells by a trigger).';

ALTER TABLE call_composite ADD COLUMN topic varchar(64);
COMMENT ON COLUMN call_composite.topic IS 'Of the event that told the sentiment.';

CREATE FUNCTION tell_call_its_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE call
    SET score = NEW.score, scored_at = NEW.scored_at, scored_delay = coalesce(scored_delay, extract(epoch FROM NEW.scored_at - ended_at))
    WHERE call_id = NEW.call_id AND (scored_at IS NULL OR scored_at <= NEW.scored_at);
    RETURN NULL;
END;
$$;

CREATE TRIGGER scoring_result_told AFTER INSERT ON scoring_result
    FOR EACH ROW EXECUTE FUNCTION tell_call_its_result();

CREATE FUNCTION tell_call_its_composite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE call
    SET sentiment = NEW.sentiment, composite = NEW.composite, topic = NEW.topic
    WHERE call_id = NEW.call_id AND tenant_id = NEW.tenant_id
      AND (sentiment, composite, topic) IS DISTINCT FROM (NEW.sentiment, NEW.composite::double precision, NEW.topic);
    RETURN NULL;
END;
$$;

CREATE TRIGGER call_composite_told AFTER INSERT OR UPDATE ON call_composite
    FOR EACH ROW WHEN (NEW.heard_at IS NOT NULL) EXECUTE FUNCTION tell_call_its_composite();

-- Calls that were there before.
UPDATE call
SET score = newest.score, scored_at = newest.scored_at, scored_delay = extract(epoch FROM newest.first_at - ended_at),
    sentiment = composed.sentiment, composite = composed.composite
FROM (
    SELECT DISTINCT ON (call_id) call_id, score, scored_at, min(scored_at) OVER (PARTITION BY call_id) AS first_at
    FROM scoring_result
    ORDER BY call_id, scored_at DESC, id DESC
) AS newest
LEFT JOIN call_composite AS composed USING (call_id)
WHERE call.call_id = newest.call_id AND (composed.tenant_id IS NULL OR composed.tenant_id = call.tenant_id);

-- The list by time; it holds all that is filtered by and summed up, so that calls which are not shown are not fetched either.
DROP INDEX call_tenant_started;
CREATE INDEX call_by_time ON call (tenant_id, started_at, id) INCLUDE (agent_id, skill, status, score, sentiment, topic, scored_delay);
CREATE INDEX call_by_score ON call (tenant_id, score, id) INCLUDE (started_at, agent_id, skill, status, sentiment, topic) WHERE score IS NOT NULL;
-- What few calls have.
CREATE INDEX call_by_agent ON call (tenant_id, agent_id, started_at, id) INCLUDE (skill, status, score, sentiment, topic, scored_delay);
CREATE INDEX call_unwell ON call (tenant_id, status, started_at, id) WHERE status IN ('PENDING_DOWNLOAD', 'DOWNLOADED', 'MISSING', 'ERROR', 'NOT_SCORABLE');
CREATE INDEX call_by_topic ON call (tenant_id, topic, started_at, id) INCLUDE (agent_id, skill, status, score, sentiment);
CREATE INDEX call_by_skill ON call (tenant_id, skill, started_at, id);
CREATE INDEX call_by_sentiment ON call (tenant_id, sentiment) WHERE sentiment IS NOT NULL;
