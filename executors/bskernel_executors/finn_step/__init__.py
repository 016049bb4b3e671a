"""FINN's build steps as entries, one each, by FINN's own names."""

from bskernel_executors.finn_step.entries import registry

__all__ = ["registry"]
