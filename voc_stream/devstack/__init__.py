"""Kafka, PostgreSQL, S3, ClickHouse, a recorder and the scoring service on this machine, without Docker."""
