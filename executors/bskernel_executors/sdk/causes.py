"""Turn an exception into a failure with its first real error lines."""

from __future__ import annotations

import resource
import sys
import traceback
from collections.abc import Sequence

import msgspec
from bskernel_protocol import Failure

from bskernel_executors.sdk.classification import FailureContext, RaisedException, classify
from bskernel_executors.sdk.fault_location import locate_fault
from bskernel_executors.sdk.rules_file import Rule
from bskernel_executors.sdk.step import StepFailure

_FRAMES = 6  # innermost frames that a failure shows
_OWN = "bskernel_executors/"
_LONGEST = 400  # characters of an exception's text in a failure's message


def _chain(error: BaseException) -> tuple[BaseException, ...]:
    """The exception and its causes, root cause first."""
    chain = [error]
    while True:
        error = chain[-1]
        deeper = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if deeper is None or any(deeper is known for known in chain):
            return tuple(reversed(chain))
        chain.append(deeper)


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _describe(error: BaseException) -> RaisedException:
    where = ""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        where = f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_name}"
        trace = trace.tb_next
    names = tuple(_name(kind) for kind in type(error).__mro__)
    return RaisedException(names=names, text=str(error), raised_in=where)


def make_failure(
    error: BaseException, context: FailureContext, rules: Sequence[Rule] = (), memory_mib: int | None = None
) -> Failure:
    """Make the failure of an entry's exception; it names the root cause of a chain.

    `memory_mib` is the step's memory limit in MiB, if it has one.
    """
    chain = _chain(error)
    root = chain[0]
    if any(isinstance(link, MemoryError) for link in chain):
        return _out_of_memory(root, context, memory_mib)
    facts = {} if isinstance(root, StepFailure) else {"exception": _name(type(root))}
    if isinstance(error, StepFailure):
        cause = error.failure.cause or (() if root is error else _lines(root))
        failure = msgspec.structs.replace(error.failure, cause=cause, facts={**error.failure.facts, **facts})
        if error.has_category:
            return msgspec.structs.replace(failure, facts={**failure.facts, "decided_by": "step"})
    else:
        text = " ".join(str(root).split()) or "(no message)"
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
        failure = Failure(
            category=context.default_category,
            message=f"{context.step}: {type(root).__name__}: {shown}",
            cause=_lines(root),
            facts=facts,
        )
    return classify(failure, context, [_describe(link) for link in chain], rules, locate_fault(root))


def _out_of_memory(root: BaseException, context: FailureContext, memory_mib: int | None) -> Failure:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    limit = f"its limit of {memory_mib} MiB" if memory_mib is not None else "this machine has"
    facts = {"exception": _name(type(root)), "decided_by": "runtime", "peak_mib": peak}
    return Failure(
        category="out_of_memory",
        message=f"{context.step}: {type(root).__name__}: the step needs more memory than {limit}; it held {peak} MiB",
        cause=_lines(root),
        hint=f"raise memory_mib of step {context.step}"
        if memory_mib is not None
        else "close other programs that use memory, or build on a machine with more",
        facts=facts if memory_mib is None else {**facts, "limit_mib": memory_mib},
    )


def _importable(filename: str) -> str:
    """A source file's path relative to the folder that Python imports it from: the same on every machine."""
    folders = sorted((f"{folder.rstrip('/')}/" for folder in sys.path if folder), key=len, reverse=True)
    return next((filename.removeprefix(folder) for folder in folders if filename.startswith(folder)), filename)


def _lines(error: BaseException) -> tuple[str, ...]:
    """The innermost frames as `file:line in function`, then the exception's own text; no absolute paths."""
    frames = [(frame, _importable(frame.filename)) for frame in traceback.extract_tb(error.__traceback__)]
    # The executor's own frames are noise when a library that it called raised; they count when it raised itself.
    first = next((at for at, (_, path) in enumerate(frames) if not path.startswith(_OWN)), 0)
    where = [
        f"{path}:{frame.lineno} in {frame.name}: {frame.line or ''}".rstrip(": ")
        for frame, path in frames[first:][-_FRAMES:]
    ]
    return (*where, *(line.rstrip() for line in traceback.format_exception_only(error)))
