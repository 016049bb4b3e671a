"""Warm sessions, which stay ready between runs. A small daemon process owns each, and runs connect to it."""
