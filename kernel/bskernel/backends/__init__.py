"""Backends: each a flow with the versions of the executors that carry it out, and how one is chosen."""

from bskernel.backends.choosing import Choice, PlanOf, Surroundings, choose
from bskernel.backends.data import Backend, load_backends
from bskernel.backends.settling import Settled, settle, with_its_flow

__all__ = [
    "Backend",
    "Choice",
    "PlanOf",
    "Settled",
    "Surroundings",
    "choose",
    "load_backends",
    "settle",
    "with_its_flow",
]
