-- A chunk of scores looks for what the customers of its calls said, by call_id among a month of their tenants' events (docs/adr/0014-composite-score.md).
ALTER TABLE voc_events ADD INDEX IF NOT EXISTS call_ids call_id TYPE bloom_filter(0.001) GRANULARITY 1;
-- Goes on in the server by itself; until then the look-ups read more.
ALTER TABLE voc_events MATERIALIZE INDEX call_ids;
