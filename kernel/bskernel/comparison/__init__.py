"""Two builds side by side, and gates on what changed. Pure: it reads and writes no files."""

from bskernel.comparison.builds import Comparison, KeptBuild, compare
from bskernel.comparison.gates import Gate, Verdict, judge
from bskernel.comparison.steps import KeptStep
from bskernel.expr.parser import ExpressionError, parse

__all__ = ["Comparison", "ExpressionError", "Gate", "KeptBuild", "KeptStep", "Verdict", "compare", "judge", "parse"]
