-- Rights of the people's side, where it runs with a role of its own (docs/access.md). Run by the owner of the tables, after each `migrate`; before the
-- first time an administrator makes the role: CREATE ROLE voc_web LOGIN PASSWORD '...'.
-- It reads what pages show, changes what they change, and can neither alter calls, scores and audit rows nor read customer_pii.

GRANT SELECT ON
    agent, alert, audio_asset, call, call_composite, call_event, completeness, completeness_gap, completeness_hour, conversation, customer_key,
    dead_letter, original_transcript, pause, restriction, scoring_result
TO voc_web;

GRANT SELECT, INSERT ON access_token TO voc_web;
GRANT UPDATE (revoked_at, last_used_at, updated_at) ON access_token TO voc_web;
GRANT SELECT, INSERT, DELETE ON web_session TO voc_web;
GRANT UPDATE (last_seen_at, updated_at) ON web_session TO voc_web;

GRANT INSERT ON audit_log, call_event TO voc_web;
GRANT SELECT, INSERT, UPDATE ON pause TO voc_web;

-- A requeue marks its letter, and sets a call back that had failed; `/readyz` locks no row, but asks whether it could.
GRANT UPDATE ON dead_letter TO voc_web;
GRANT UPDATE (status, status_reason, next_attempt_at, updated_at) ON call TO voc_web;
