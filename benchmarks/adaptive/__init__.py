"""Adaptive concurrency on a simulated clock, against the scenarios that Vector publishes for its own (docs/adaptive-concurrency.md)."""
