-- One row for each call: its newest result.
CREATE VIEW IF NOT EXISTS call_scores_current AS
SELECT *
FROM call_scores FINAL
ORDER BY version DESC, model_version DESC
LIMIT 1 BY call_id;
