"""The scoring service: audio in; score, breakdown with evidence, and transcript out. A process of its own: ``python -m voc_stream.scoring``."""
