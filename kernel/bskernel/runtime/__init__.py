"""Runtimes: run executors as containers or as processes."""
