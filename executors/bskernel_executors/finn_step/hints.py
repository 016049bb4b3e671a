"""What to do about exceptions of FINN that say little to who has not read its source."""

from __future__ import annotations

import re

_HINTS = {
    r"divis[ai]ble by .*is violated": "PE and SIMD must divide the layer's sizes: change them in the folding config",
    r"cycle-free graph violated": "a layer between two hardware layers stayed on the host: look in the model for what"
    " step_streamline or step_convert_to_hw could not absorb",
    r"Attribute \w+ expects": "a value in the folding config has the wrong type",
    r"No module named 'torch'": "this step needs torch, which the executor is locked without",
    r"fpga_part": "set target.part, or a target.board that FINN knows",
}


def hint_for(error: BaseException) -> str | None:
    """Advice for a known exception."""
    text = str(error)
    return next((hint for pattern, hint in _HINTS.items() if re.search(pattern, text)), None)
