"""What all commands of the STAND-IN share: its log, how options are read, and how a run fails on demand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from vivado_stand_in.tcl import Tcl, TclError, join
from vivado_stand_in.tcl_commands import Core

HERE = Path(__file__).resolve().parent.parent
DATA = HERE.parent / "data"
VERSION, BUILD = os.environ["STAND_IN_VERSION"], os.environ["STAND_IN_BUILD"]
BEHAVIOUR = (HERE / "behaviour").read_text().strip()
NOTE = "STAND-IN: recorded from a real run of another design; no result of this one"
Action = Callable[[dict[str, str], list[str]], str | None]


@dataclass
class Spec:
    """A command: its options, each with whether a value follows, and the command that must have gone before."""

    options: dict[str, bool] = field(default_factory=dict)
    before: str | None = None


class Session:
    """One run: an interpreter with Tcl's own commands, and those that modules add."""

    def __init__(self, log: Path, product: str) -> None:
        self.log = log.open("w", encoding="utf-8")
        self.done: list[str] = []
        self.tcl = Tcl()
        self.core = Core(self.tcl, self.say)
        self.tcl.globals |= {f"env({name})": value for name, value in os.environ.items()}
        self.say("#" + "-" * 59)
        self.say(f"# {product} STAND-IN v{VERSION} (64-bit)")
        self.say(f"# SW Build {BUILD} on no day")
        self.say(f"# Current directory: {Path.cwd()}")
        self.say("#" + "-" * 59)

    def say(self, text: str) -> None:
        for stream in (sys.stdout, self.log):
            print(text, file=stream, flush=True)

    def message(self, severity: str, identity: str, text: str) -> None:
        self.say(f"{severity}: [{identity}] STAND-IN: {text}")

    def add(self, name: str, spec: Spec, action: Action | None = None) -> None:
        """A command of the tool's own."""

        def call(*words: str) -> str:
            options, values = self._options(name, spec, list(words))
            if spec.before is not None and spec.before not in self.done:
                raise TclError(f"ERROR: [Common 17-53] STAND-IN: {name} before {spec.before}: No open design")
            if action is None or not name.startswith(("get_", "current_", "ipx::get", "ipx::current", "ipx::find")):
                self.say(f"Command: {join([name, *words])}")
            result = action(options, values) if action is not None else None
            self.done.append(name)
            return result or ""

        self.tcl.commands[name] = call

    def _options(self, name: str, spec: Spec, rest: list[str]) -> tuple[dict[str, str], list[str]]:
        options: dict[str, str] = {}
        values: list[str] = []
        while rest:
            word = rest.pop(0)
            if not word.startswith("-") or " " in word:
                values.append(word)
                continue
            known = spec.options
            if word not in known or (known[word] and not rest):
                raise TclError(
                    f"ERROR: [Common 17-170] STAND-IN: Unknown option '{word}' of {name}, or without its value"
                )
            options[word] = rest.pop(0) if known[word] else ""
        return options, values

    def run(self, script: str) -> int:
        """Carry out the script; the exit code."""
        code = 0
        try:
            self.tcl.evaluate(script)
        except TclError as error:
            self.say(str(error))
            code = 1
        except SystemExit as error:
            code = int(error.code or 0)
        self.message("INFO", "Common 17-206", "Exiting")
        return code

    def fail(self, identity: str, text: str) -> NoReturn:
        """Fail as the tool does: some noise, the cause, and what follows from it."""
        self.message("ERROR", "Memdata 28-96", "Could not find a BMM_INFO_DESIGN property in the design.")
        self.message("ERROR", identity, text)
        self.message("ERROR", "Common 17-69", "Command failed: see the log")
        raise TclError("ERROR: [Common 17-39] STAND-IN: 'command' failed due to earlier errors.")


def synthesis_ends(session: Session) -> None:
    """What a synthesis comes to, as this install's behaviour says."""
    if BEHAVIOUR == "lost_memory":
        session.message(
            "CRITICAL WARNING", "Synth 8-4445", "could not open $readmem data file 'weights.dat'; ignoring"
        )
    elif BEHAVIOUR == "licence":
        session.fail("Common 17-345", "A valid license was not found for feature 'Synthesis' and/or device 'xc'")
    elif BEHAVIOUR == "syntax":
        session.fail("Synth 8-439", "module 'mvu_vvu' not found [top.sv:12]")
    elif BEHAVIOUR == "hang":
        subprocess.Popen(["sleep", "3600"], start_new_session=True)
        session.say("STAND-IN: hangs now")
        time.sleep(3600)
    elif BEHAVIOUR == "crash":
        Path("hs_err_pid1.log").write_text("STAND-IN: a crash\n")
        session.say("STAND-IN: An unexpected error has occurred (11)")
        os.kill(os.getpid(), signal.SIGSEGV)
    elif BEHAVIOUR == "out_of_memory":
        session.say("STAND-IN: loader: line 312: 4711 Killed")
        raise SystemExit(137)


def checkpoint_is_written(session: Session, path: Path) -> None:
    """Write one, where there is room."""
    if BEHAVIOUR == "disk_full":
        session.say("STAND-IN: couldn't write the checkpoint: No space left on device")
        raise TclError("ERROR: [Common 17-39] STAND-IN: 'write_checkpoint' failed due to earlier errors.")
    path.write_text("STAND-IN: no checkpoint\n")
