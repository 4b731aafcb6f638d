DROP TABLE IF EXISTS call_composite;
