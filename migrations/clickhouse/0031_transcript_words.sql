-- Which transcripts hold a word, for the full-text search (docs/adr/0025-reading.md). The search must say the same expression.
-- Inserts leave it out (voc_stream/clients/clickhouse.py): merges make it, and what is not merged yet is little and read as it is.
ALTER TABLE voc_events ADD INDEX IF NOT EXISTS transcript_words lowerUTF8(JSONExtractString(payload, 'transcript')) TYPE text(tokenizer = splitByNonAlpha);
-- Goes on in the server by itself; until then searches read more.
ALTER TABLE voc_events MATERIALIZE INDEX transcript_words;
