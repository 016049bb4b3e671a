"""What the runtime knows of a step's end that its executor could not say: time, signals, memory, interrupts.

These facts come before all others: whatever a step says of itself, a process that the system ended for lack of memory
is why it failed.
"""

from __future__ import annotations

import signal
from typing import Any

import msgspec
from bskernel_protocol import Failure

from bskernel.core.errors import BskernelError
from bskernel.core.interfaces import SessionEnded
from bskernel.core.step import Step


def signal_name(number: int) -> str:
    """SIGSEGV for 11; the number where the system has no name for it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def exit_facts(exit_code: int) -> dict[str, Any]:
    """The exit code, and the signal's name when one ended the process."""
    return {"exit_status": exit_code} | ({"signal": signal_name(-exit_code)} if exit_code < 0 else {})


def _memory_facts(step: Step, ended: SessionEnded) -> dict[str, Any]:
    known = {"limit_mib": step.memory_mib, "peak_mib": ended.peak_mib}
    return {name: value for name, value in known.items() if value is not None}


def environment_failure(error: BskernelError) -> Failure:
    """This machine lacks what the step needs."""
    return Failure(category="environment", message=error.message, hint=error.hint)


def interrupted(step: Step, by: str) -> Failure:
    """The build was told to stop while the step ran."""
    return Failure(
        category="interrupted",
        message=f"{by} ended the build while step {step.name} ran",
        hint="run it again: the steps before are recalled",
        facts={"signal": by, "decided_by": "runtime"},
    )


def timed_out(step: Step, failure: Failure) -> Failure:
    """A session's time-out, told with the step's key and how far the step was."""
    last = failure.facts.get("last_progress")
    where = f"; the last it said was: {last}" if last else "; it had said nothing"
    return msgspec.structs.replace(
        failure,
        message=f"step {step.name} took longer than its {step.timeout_s:g} s{where}",
        hint=f"raise timeout_s of step {step.name} ([step.{step.name}] timeout_s = ..., now {step.timeout_s:g})",
    )


def out_of_memory(step: Step, ended: SessionEnded, said: Failure | None, cause: tuple[str, ...]) -> Failure:
    """The system ended processes of the step because its memory was used up."""
    limit = f"its limit of {step.memory_mib} MiB" if step.memory_mib is not None else "what the machine has"
    peak = f"; the largest of its processes held {ended.peak_mib} MiB" if ended.peak_mib is not None else ""
    facts = {**(said.facts if said else {}), **_memory_facts(step, ended), "oom_kills": ended.oom_kills}
    return Failure(
        category="out_of_memory",
        message=f"step {step.name} needs more memory than {limit}: the system ended {ended.oom_kills} of its "
        f"processes{peak}",
        cause=said.cause if said else cause,
        hint=f"raise memory_mib of step {step.name} ([step.{step.name}] memory_mib = ...)"
        if step.memory_mib is not None
        else "build on a machine with more memory, or run less beside it",
        facts={**facts, **exit_facts(ended.exit_code or 0), "decided_by": "runtime"},
    )


def crashed(step: Step, ended: SessionEnded, cause: tuple[str, ...]) -> Failure:
    """The step's process is gone and has left no result."""
    code = ended.exit_code or 0
    how = f"signal {-code} ({signal_name(-code)})" if code < 0 else f"exit code {code}"
    hint = "run the step alone to see it die (the command is below)"
    if code == -signal.SIGKILL:
        hint = f"something outside the build ended it; look in the system's log for why, or {hint}"
    elif code < 0 and step.memory_mib is not None:
        hint = f"a library that finds no memory dies so too: raise memory_mib ({step.memory_mib} now), or {hint}"
    return Failure(
        category="crash",
        message=f"{step.executor} ended with {how} before step {step.name} had a result",
        cause=cause,
        hint=hint,
        facts={**_memory_facts(step, ended), **exit_facts(code), "decided_by": "runtime"},
    )
