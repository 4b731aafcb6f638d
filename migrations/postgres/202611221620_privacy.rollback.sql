-- What data keys sealed cannot be read without them, and must not stand where the older constraint forbids it.
DROP TABLE restriction;
DROP TABLE forgotten;
DROP TABLE original_transcript;
DELETE FROM customer_pii WHERE other_parties LIKE 'v2.%' OR udfs LIKE 'v2.%';
ALTER TABLE customer_pii DROP CONSTRAINT customer_pii_sealed;
ALTER TABLE customer_pii ADD CONSTRAINT customer_pii_sealed CHECK (other_parties LIKE 'v1.%' AND udfs LIKE 'v1.%');
COMMENT ON TABLE customer_pii IS 'AES-256-GCM, bound to (tenant, table, column, call_id); key_id names the key.';
DROP TABLE customer_key;
