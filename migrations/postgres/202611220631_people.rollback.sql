DROP TABLE customer_pii;
DROP TABLE agent;
