ALTER TABLE call_event DROP COLUMN trace_id;
