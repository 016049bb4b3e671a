"""Remove from the texts of AMD's tools what belongs to one run or to who ran it, so that they can be artifacts."""

from __future__ import annotations

import re
from pathlib import Path

from bskernel_executors.sdk.secrets import SecretFilter

_RUN_FACTS = re.compile(
    r"^(\| (?:Date|Host) +: |# (?:Start of session at|Process ID|Current directory|Command line|Log file|Journal file"
    r"|Running On|Platform|Operating System|Processor Detail|CPU [A-Za-z ]+|Host memory|Swap memory|Total Virtual"
    r"|Available Virtual) *: ).*$",
    re.MULTILINE,
)
_TEXTS = frozenset({".log", ".jou", ".rpt", ".vdi", ".vds"})


def redact_text(text: str) -> str:
    """Remove names of the machine, dates and licences."""
    return SecretFilter().redact(_RUN_FACTS.sub(r"\1...", text))


def redact_tree(folder: Path) -> None:
    """Redact the logs and reports of a tree, in place."""
    for path in folder.rglob("*"):
        if path.suffix in _TEXTS and path.is_file() and not path.is_symlink():
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            changed = redact_text(text)
            if changed != text:
                path.write_text(changed, encoding="utf-8", errors="surrogateescape")
