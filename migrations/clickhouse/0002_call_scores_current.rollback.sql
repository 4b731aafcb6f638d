DROP VIEW IF EXISTS call_scores_current;
