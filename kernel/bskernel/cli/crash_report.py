"""What is left of a command that failed by a defect of bskernel: a file for the bug report, without secrets."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

_MOST = 20  # reports that are kept in a folder
_FRAMES = 60  # calls that are shown, of an endless recursion


def describe_defect(error: BaseException) -> str:
    """Write the report of a defect; returns one line that names the error and the report."""
    what = _one_line(_redacted(f"{type(error).__name__}: {error}".rstrip(": ")))
    path = _write(_text(error))
    where = f"please report it with {path}" if path is not None else "no folder takes a report of it"
    return f"bskernel failed unexpectedly: {what}; {where}"


def report_thread(raised: threading.ExceptHookArgs) -> None:
    """Report what ended a thread, as any other defect: hook of `threading`."""
    if raised.exc_value is not None and not isinstance(raised.exc_value, SystemExit):
        _remark(raised.exc_value)


def report_unraisable(raised: sys.UnraisableHookArgs) -> None:
    """Report what was raised while an object went: hook of `sys`.

    An interrupt that arrives just there, a file that cannot be closed, or a lack of memory, which the command itself
    then meets, is no defect.
    """
    if isinstance(raised.exc_value, Exception) and not isinstance(raised.exc_value, (OSError, MemoryError)):
        _remark(raised.exc_value)


def _remark(error: BaseException) -> None:
    with contextlib.suppress(Exception):
        print(describe_defect(error), file=sys.stderr)


def _text(error: BaseException) -> str:
    import platform
    import shlex
    import traceback
    from importlib.metadata import version

    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-_FRAMES))
    names = ("bskernel", "bskernel-protocol", "msgspec", "click")
    facts = {
        "command": shlex.join(sys.argv),
        "versions": ", ".join(f"{name} {version(name)}" for name in names),
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()}",
    }
    return _redacted("".join(f"{name}: {value}\n" for name, value in facts.items()) + f"\n{trace}")


def _redacted(text: str) -> str:
    from bskernel.core.redaction import Redactor, secrets_in

    return Redactor({}, secrets_in(os.environ), paths=False).text(text)


def _folders() -> Iterator[Path]:
    """Where a report may lie, the best folder first."""
    state = os.environ.get("XDG_STATE_HOME")
    with contextlib.suppress(RuntimeError):  # nobody knows the home
        yield (Path(state) if state else Path.home() / ".local" / "state") / "bskernel" / "crashes"
    if cache := os.environ.get("BSKERNEL_CACHE"):
        yield Path(cache) / "crashes"
    # Others write there too: a folder of that name could be theirs.
    yield Path(os.environ.get("TMPDIR") or "/tmp") / f"bskernel-crashes-{os.getuid()}"  # noqa: S108


def _write(text: str) -> Path | None:
    for folder in _folders():
        with contextlib.suppress(OSError, ValueError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            path = folder / f"{_now()}-{os.urandom(3).hex()}.txt"
            try:
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(text.encode("utf-8", "backslashreplace"))
            except OSError:
                path.unlink(missing_ok=True)
                raise
            for old in sorted(folder.glob("*.txt"))[:-_MOST]:
                old.unlink(missing_ok=True)
            return path
    return None


def _now() -> str:
    import time

    return time.strftime("%Y-%m-%dT%H-%M-%S")


def _one_line(text: str) -> str:
    shown = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in shown)[:300]
