"""Made-up customer events, for demos, benchmarks and trying things out: `faust -A voc_stream generate`."""
