"""How a command ends: from what was raised to one message and an exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bskernel.core.errors import EXIT_DEFECT, EXIT_INTERRUPTED, BskernelError, EnvironmentLacking

if TYPE_CHECKING:
    from bskernel.core.places import Place

INTERRUPTED = "interrupted: every process of the build has ended; the cache is intact"


def conclude(error: BaseException) -> int:
    """Tell on standard error what was raised; returns the exit code."""
    try:
        return _conclude(error)
    except BaseException:  # noqa: BLE001 - no memory for the message, or a signal meanwhile
        os.write(2, b"error: bskernel failed unexpectedly, and could not say why\n")
        return EXIT_DEFECT


def _conclude(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        _say(INTERRUPTED)
        return EXIT_INTERRUPTED
    known = error if isinstance(error, BskernelError) else _lacking(error)
    if known is None:
        from bskernel.cli.crash_report import describe_defect

        _say(f"error: {describe_defect(error)}")
        return EXIT_DEFECT
    from bskernel.cli.standard_streams import OutputLost, ReaderGone, discard_output

    if isinstance(known, OutputLost):
        discard_output()
    if not isinstance(known, ReaderGone):
        _say(f"error: {known.message}")
        if known.hint:
            _say(f"  -> {known.hint}")
        if os.environ.get("GITHUB_ACTIONS") or os.environ.get("BSKERNEL_CODE_QUALITY"):
            from bskernel.cli.ci_service import announce_error

            announce_error(known)
    return known.exit_code


def _say(line: str) -> None:
    from bskernel.core.visible_text import visible
    from bskernel.report.colours import paint

    print(paint(visible(line), sys.stderr), file=sys.stderr)


def _lacking(error: BaseException) -> EnvironmentLacking | None:
    """What this machine lacks, if that is why it was raised."""
    import errno

    from bskernel.core.places import OUT_OF_MEMORY, OUT_OF_THREADS, place_lacking

    if isinstance(error, OSError):
        return _no_folder(error) or place_lacking(error, *_places())
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "start new thread" in str(error)):
        what, hint = OUT_OF_MEMORY if isinstance(error, MemoryError) else OUT_OF_THREADS
        return EnvironmentLacking(what, hint=hint)
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop from "):
        # How Python reports it where a path is resolved.
        path = str(error).removeprefix("Symlink loop from ").strip("'\"")
        return place_lacking(OSError(errno.ELOOP, os.strerror(errno.ELOOP), path), *_places())
    if isinstance(error, ImportError):
        # The loader of shared objects says in words what the system refused.
        text = str(error)
        if "failed to map segment" in text or os.strerror(errno.ENOMEM).lower() in text.lower():
            return EnvironmentLacking(f"{OUT_OF_MEMORY[0]} to load a library: {text}", hint=OUT_OF_MEMORY[1])
        if os.strerror(errno.EMFILE) in text:
            return place_lacking(OSError(errno.EMFILE, text))
    return None


def _no_folder(error: OSError) -> EnvironmentLacking | None:
    """The working folder is gone, so that no relative path means anything."""
    if not isinstance(error, FileNotFoundError) or error.filename is not None:
        return None
    try:
        Path.cwd()
    except FileNotFoundError:
        return EnvironmentLacking("the working folder was deleted", hint="change to a folder that exists: cd")
    return None


def _places() -> tuple[Place, ...]:
    from bskernel.core.places import Place, cache_place
    from bskernel.images.environment import cache_folder

    temporary = Place("the folder for temporary files", os.environ.get("TMPDIR") or "/tmp", "or set TMPDIR")  # noqa: S108
    try:
        return cache_place(cache_folder()), temporary
    except EnvironmentLacking:
        return (temporary,)
