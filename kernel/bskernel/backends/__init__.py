"""Backends: each a flow with the versions of the executors that carry it out, and how one is chosen."""

from bskernel.backends.choosing import Choice, Surroundings, choose, flow_of
from bskernel.backends.data import Backend, load_backends
from bskernel.backends.here import surroundings

__all__ = ["Backend", "Choice", "Surroundings", "choose", "flow_of", "load_backends", "surroundings"]
