"""What AMD's tools write of one run alone, and of who ran it, left out: so that texts can be artifacts."""

from __future__ import annotations

import re
from pathlib import Path

from bskernel_executors.sdk.secrets import SecretFilter

_OF_THE_RUN = re.compile(
    r"^(\| (?:Date|Host) +: |# (?:Start of session at|Process ID|Current directory|Command line|Log file|Journal file"
    r"|Running On|Platform|Operating System|Processor Detail|CPU [A-Za-z ]+|Host memory|Swap memory|Total Virtual"
    r"|Available Virtual) *: ).*$",
    re.MULTILINE,
)
_TEXTS = frozenset({".log", ".jou", ".rpt", ".vdi", ".vds"})


def without_run(text: str) -> str:
    """The text without names of the machine, dates, and licences."""
    return SecretFilter().redact(_OF_THE_RUN.sub(r"\1...", text))


def depersonalise(folder: Path) -> None:
    """Do so in the logs and reports of a tree, in place."""
    for path in folder.rglob("*"):
        if path.suffix in _TEXTS and path.is_file() and not path.is_symlink():
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            changed = without_run(text)
            if changed != text:
                path.write_text(changed, encoding="utf-8", errors="surrogateescape")
