"""Compares two builds and judges gates. Pure."""

from bskernel.expr.parser import ExpressionError, parse
from bskernel.result.comparison.builds import Comparison, FinishedBuild, compare
from bskernel.result.comparison.gates import Gate, Verdict, judge
from bskernel.result.comparison.steps import FinishedStep

__all__ = [
    "Comparison",
    "ExpressionError",
    "FinishedBuild",
    "FinishedStep",
    "Gate",
    "Verdict",
    "compare",
    "judge",
    "parse",
]
