"""made_by.json: which tool, in which version, the numbers of each of FINN's reports come from."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.exchange.artifact_file import read_artifact

MADE_BY = "made_by.json"
_DECODER = msgspec.json.Decoder(dict[str, str])


def read_makers(reports: Path, *, category: FailureCategory = "config") -> dict[str, str]:
    """Read the makers in a folder of reports: file name -> tool. Empty when nothing was noted.

    Raises StepFailure (`category`).
    """
    path = reports / MADE_BY
    if not path.is_file():
        return {}
    return read_artifact(path, _DECODER, f"report/{MADE_BY}", writer="finn-step", category=category)
