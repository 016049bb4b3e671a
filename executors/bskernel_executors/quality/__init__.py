"""Judging a network at every stage that can be executed: what executors share that execute models."""
