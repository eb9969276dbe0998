"""Autonomous research on small language models: one experiment lives here, many live in `autoresearch.study`."""
