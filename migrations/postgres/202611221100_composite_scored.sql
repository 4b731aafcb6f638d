-- Only calls with a quality have a row: sentiments that wait for one are found in ClickHouse's voc_events (docs/adr/0014-composite-score.md).
-- depends: 202611221010_composite

DROP INDEX call_composite_unmet;
DELETE FROM call_composite WHERE scored_at IS NULL;
COMMENT ON TABLE call_composite IS 'Of each call that was scored, also one whose customer was not heard yet, or cannot be scored.';
