DROP TABLE call_event;
DROP TABLE scoring_result;
DROP TABLE audio_asset;
DROP TABLE call;
DROP FUNCTION touch_updated_at();
