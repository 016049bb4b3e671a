"""Runtimes: where executors run."""
