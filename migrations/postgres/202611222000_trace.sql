-- The trace in which something happened to a call, where it is recorded (docs/tracing.md). Without a default: nothing is rewritten, and the release before this one goes on.
-- depends: 202611221621_forgotten_calls

ALTER TABLE call_event ADD COLUMN trace_id varchar(32);
