ALTER TABLE forgotten DROP COLUMN customer;
