DROP INDEX call_started;
DROP TABLE completeness_hour;
DROP TABLE completeness_gap;
DROP TABLE completeness;
