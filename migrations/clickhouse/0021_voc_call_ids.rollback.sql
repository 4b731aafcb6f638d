ALTER TABLE voc_events DROP INDEX IF EXISTS call_ids;
