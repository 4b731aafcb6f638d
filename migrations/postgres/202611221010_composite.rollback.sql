DROP TABLE call_composite;
DROP FUNCTION revise_composite();
