"""Failures that only the runtime can recognise: time-outs, signals, memory, interrupts.

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
    """SIGSEGV for 11; "signal N" for a number without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def exit_facts(exit_code: int) -> dict[str, Any]:
    """The exit code, and the name of the signal that killed the process, if any."""
    return {"exit_status": exit_code} | ({"signal": signal_name(-exit_code)} if exit_code < 0 else {})


def _memory_facts(step: Step, ended: SessionEnded) -> dict[str, Any]:
    known = {"limit_mib": step.memory_mib, "peak_mib": ended.peak_mib}
    return {name: value for name, value in known.items() if value is not None}


def environment_failure(error: BskernelError) -> Failure:
    """The machine lacks what the step needs."""
    return Failure(category="environment", message=error.message, hint=error.hint)


_LOST_INPUT = "lost_input"


def input_lost(name: str) -> Failure:
    """Bytes of an input are gone or damaged, so the step that produces it must run again."""
    return Failure(
        category="environment",
        message=f"input {name!r} is missing from the cache or corrupt",
        hint="run the build again: the step that produces it will run again",
        facts={_LOST_INPUT: name, "decided_by": "runtime"},
    )


def lost_input(failure: Failure | None) -> str | None:
    """The input whose bytes were gone, None for any other failure."""
    name = failure.facts.get(_LOST_INPUT) if failure is not None else None
    return str(name) if name is not None else None


def interrupted(step: Step, by: str) -> Failure:
    """The build was interrupted while the step ran."""
    return Failure(
        category="interrupted",
        message=f"{by} interrupted the build while step {step.name} was running",
        hint="run the build again: finished steps are recalled from the cache",
        facts={"signal": by, "decided_by": "runtime"},
    )


def timed_out(step: Step, failure: Failure) -> Failure:
    """A time-out, with the step's configuration key and its last progress message."""
    last = failure.facts.get("last_progress")
    where = f"; its last message was: {last}" if last else "; it had reported no progress"
    return msgspec.structs.replace(
        failure,
        message=f"step {step.name} exceeded its time limit of {step.timeout_s:g} s{where}",
        hint=f"raise timeout_s of step {step.name} ([step.{step.table}] timeout_s = ..., now {step.timeout_s:g})",
    )


def out_of_memory(step: Step, ended: SessionEnded, said: Failure | None, cause: tuple[str, ...]) -> Failure:
    """The system killed processes of the step because memory ran out."""
    limit = f"its limit of {step.memory_mib} MiB" if step.memory_mib is not None else "the machine has"
    peak = f"; its largest process used {ended.peak_mib} MiB" if ended.peak_mib is not None else ""
    facts = {**(said.facts if said else {}), **_memory_facts(step, ended), "oom_kills": ended.oom_kills}
    return Failure(
        category="out_of_memory",
        message=f"step {step.name} needs more memory than {limit}: the system killed {ended.oom_kills} of its "
        f"processes{peak}",
        cause=said.cause if said else cause,
        hint=f"raise memory_mib of step {step.name} ([step.{step.table}] memory_mib = ...)"
        if step.memory_mib is not None
        else "build on a machine with more memory, or run fewer steps at once (--jobs)",
        facts={**facts, **exit_facts(ended.exit_code or 0), "decided_by": "runtime"},
    )


def crashed(step: Step, ended: SessionEnded, cause: tuple[str, ...]) -> Failure:
    """The step's process died without a result."""
    code = ended.exit_code or 0
    how = f"signal {-code} ({signal_name(-code)})" if code < 0 else f"exit code {code}"
    hint = "run the step alone to reproduce it (the command is below)"
    if code == -signal.SIGKILL:
        hint = f"something outside the build killed it; see the system log, or {hint}"
    elif code < 0 and step.memory_mib is not None:
        hint = f"running out of memory can look like this: raise memory_mib (now {step.memory_mib}), or {hint}"
    return Failure(
        category="crash",
        message=f"{step.executor} ended with {how} before step {step.name} wrote a result",
        cause=cause,
        hint=hint,
        facts={**_memory_facts(step, ended), **exit_facts(code), "decided_by": "runtime"},
    )
