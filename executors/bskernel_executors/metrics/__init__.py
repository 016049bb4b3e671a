"""Metrics: what FINN's reports say, in one typed form."""

from bskernel_executors.metrics.entries import registry

__all__ = ["registry"]
