"""Where things are in the checkout."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
EXAMPLES = ROOT / "examples"
DIGITS = EXAMPLES / "digits"
SUPPORT = TESTS / "support"
BSKERNEL = str(Path(sys.executable).parent / "bskernel")  # the command of this environment
