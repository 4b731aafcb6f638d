"""A recorder that is not there: it answers searches and replays recordings as the real one does (spec §2.1), and fails on request."""
