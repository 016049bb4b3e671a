"""The configuration whose results an output folder holds, so that another one does not replace them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bskernel.config.reader import WRITER
from bskernel.core.errors import ConfigError
from bskernel.remains.plain_files import read_plain
from bskernel.result.written_files import replace

_LONGEST = 1 << 16  # bytes


def check_writer(folder: Path, config: Path) -> None:
    """Raise ConfigError if the folder holds the results of another configuration, which still exists."""
    if config.parent == folder:
        return  # the build's own config.json
    text = (read_plain(folder / WRITER, _LONGEST) or b"").decode("utf-8", "surrogateescape")
    if not text or "\0" in text:
        return
    writer = os.path.normpath(folder / text)
    sys.audit("bskernel.looked", writer)
    if writer == str(config) or not os.path.isfile(writer):  # noqa: PTH113 - also of a path that is none
        return
    raise ConfigError(
        f"{config}: {folder} holds the results of {os.path.relpath(writer, config.parent)}, which this would replace",
        hint="give this configuration a build.name of its own, let it have another output folder, "
        f"or remove {folder}",
    )


def note_writer(folder: Path, config: Path) -> None:
    """Note the configuration whose results the folder will hold."""
    if config.parent != folder:
        replace(folder / WRITER, os.path.relpath(config, folder).encode("utf-8", "surrogateescape"))
