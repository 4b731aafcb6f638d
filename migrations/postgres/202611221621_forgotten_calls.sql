-- Whose calls were forgotten, so that an interrupted run finds them again when their rows are gone.
-- depends: 202611221620_privacy

ALTER TABLE forgotten ADD COLUMN customer varchar(64) NOT NULL DEFAULT '';
COMMENT ON COLUMN forgotten.customer IS 'Of a call: the pseudonym of the customer with whom it was forgotten; empty: with its tenant.';
CREATE INDEX forgotten_customer ON forgotten (tenant_id, customer) WHERE customer <> '';
