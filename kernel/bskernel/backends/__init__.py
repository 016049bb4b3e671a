"""Backends: each a flow with the versions of the executors that carry it out, and how one is chosen."""

from bskernel.plan.backend_choice import Choice, PlanOf, Surroundings, choose
from bskernel.plan.backend_data import Backend, load_backends
from bskernel.workspace.backend import Settled, settle, with_its_flow

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
