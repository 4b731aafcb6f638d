DROP TABLE IF EXISTS voc_minutes_rebuilt;
DROP TABLE IF EXISTS voc_minutes_feed;
DROP VIEW IF EXISTS voc_event_minutes;
DROP TABLE IF EXISTS voc_minutes;
