"""From an exception to a failure with its first real error lines."""

from __future__ import annotations

import sys
import traceback

from bskernel_protocol import Failure, FailureCategory

from bskernel_executors.sdk.step import StepFailure

_FRAMES = 6


def _root(error: BaseException) -> BaseException:
    seen = {id(error)}
    while True:
        deeper = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if deeper is None or id(deeper) in seen:
            return error
        seen.add(id(deeper))
        error = deeper


def failure_of(error: BaseException, *, step: str) -> Failure:
    """The failure that an entry's exception stands for; of a chain, the first cause is named."""
    if isinstance(error, StepFailure):
        failure = error.failure
        if failure.cause or (error.__cause__ is None and error.__context__ is None):
            return failure
        return Failure(
            category=failure.category, message=failure.message, hint=failure.hint, cause=_lines(_root(error))
        )
    root = _root(error)
    text = str(root).strip()
    first = text.splitlines()[0] if text else "(no message)"
    category: FailureCategory = "memory" if isinstance(root, MemoryError) else "tool"
    hint = "give the step more memory: [step.NAME] memory_mib = ..." if category == "memory" else None
    return Failure(
        category=category,
        message=f"{step}: {type(root).__name__}: {first}",
        cause=_lines(root),
        hint=hint,
    )


def _importable(filename: str) -> str:
    """A source file's path below the folder that Python imports it from: the same on every machine."""
    folders = sorted((f"{folder.rstrip('/')}/" for folder in sys.path if folder), key=len, reverse=True)
    return next((filename.removeprefix(folder) for folder in folders if filename.startswith(folder)), filename)


def _lines(error: BaseException) -> tuple[str, ...]:
    """The innermost frames as `file:line in function`, then the exception's own words; no absolute paths."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = [
        f"{_importable(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line or ''}".rstrip(": ")
        for frame in frames
    ]
    return (*where, *(line.rstrip() for line in traceback.format_exception_only(error)))
