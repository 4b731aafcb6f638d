COMMENT ON TABLE call_composite IS 'Also holds what has no other half yet; sentiments that never meet a score are removed after some days.';
CREATE INDEX call_composite_unmet ON call_composite (created_at) WHERE scored_at IS NULL;
