"""Evaluate a network at every stage that can be executed. Shared by the executors that execute models."""
