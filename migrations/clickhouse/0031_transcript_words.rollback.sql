ALTER TABLE voc_events DROP INDEX IF EXISTS transcript_words;
