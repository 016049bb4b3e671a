"""A finished sweep: sweep.json, written and read."""
