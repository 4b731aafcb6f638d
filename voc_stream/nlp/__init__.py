"""Text to numbers; no I/O after load."""
