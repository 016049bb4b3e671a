"""`bskernel-executor serve MODULE | run DIR [MODULE] | describe MODULE`."""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import importlib
import os
import sys
from pathlib import Path

from bskernel_protocol import pretty_json

from bskernel_executors.sdk.confinement import Confinement
from bskernel_executors.sdk.determinism import prepare_generators
from bskernel_executors.sdk.heartbeat import Heartbeat
from bskernel_executors.sdk.process_tree import fork_below_reaper
from bskernel_executors.sdk.registry import Registry
from bskernel_executors.sdk.server import Server, take_protocol_channel
from bskernel_executors.sdk.step_process import confine_step, find_manifest, run_step
from bskernel_executors.sdk.supervision import supervise


def load_registry(module: str) -> Registry:
    """Import an executor's module and return its `registry`."""
    # The objects that libraries create during their import stay. Scanning them for garbage, here and in every child,
    # would find none.
    gc.disable()
    # Some libraries print during their import; that must not mix with this program's output.
    with contextlib.redirect_stdout(sys.stderr):
        registry = importlib.import_module(module).registry
        prepare_generators()
    gc.freeze()
    gc.enable()
    if not isinstance(registry, Registry):
        raise TypeError(f"{module}.registry is a {type(registry).__name__}, not a Registry")
    return registry


def _run(directory: Path, module: str) -> int:
    step = directory.resolve()
    confinement = Confinement(os.environ, step)
    registry = load_registry(module)
    # The child has one thread, whatever the imports have started.
    fork_below_reaper()
    if registry.confines_all:
        confinement.prepare()
    manifest = find_manifest(step)
    confine_step(registry, step, manifest, confinement)
    result = run_step(registry, step, manifest, lambda text: print(text, flush=True))
    failure = result.failure
    if failure is None:
        print(f"{result.step}: wrote {', '.join(result.outputs) or 'nothing'} under {directory / 'out'}")
        return 0
    print(f"{result.step}: {failure.category}: {failure.message}", file=sys.stderr)
    for line in failure.cause:
        print(f"  {line}", file=sys.stderr)
    if failure.hint:
        print(f"  -> {failure.hint}", file=sys.stderr)
    return 3


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bskernel-executor", description="Serve or run an executor's entries.")
    default = os.environ.get("BSKERNEL_EXECUTOR_MODULE")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve a kernel on stdin and stdout; step directories are under ROOT")
    serve.add_argument("--root", type=Path, default=Path("/bskernel/steps"))
    serve.add_argument("--heartbeat-s", type=float, help="say every so many seconds of a step that the server reacts")
    serve.add_argument(
        "--supervised-for",
        type=int,
        metavar="PID",
        help="leave nothing running once PID has ended, or the server, if PID is 0",
    )
    run = commands.add_parser("run", help="run the step in a directory, without a kernel")
    run.add_argument("directory", type=Path)
    describe = commands.add_parser("describe", help="print the catalogue as JSON")
    for command in (serve, run, describe):
        command.add_argument(
            "module",
            nargs="?",
            default=default,
            help="the executor's Python module (default: $BSKERNEL_EXECUTOR_MODULE)",
        )
    arguments = parser.parse_args()
    if arguments.module is None:
        parser.error("name the executor's module, or set BSKERNEL_EXECUTOR_MODULE")
    return arguments


def main() -> int:
    """Run the command line; returns the exit code."""
    arguments = _arguments()
    if arguments.command == "serve":
        if arguments.supervised_for is not None:
            supervise(arguments.supervised_for)  # before the imports: the supervisor stays small
        source, sink = take_protocol_channel()
        heartbeat = Heartbeat(arguments.heartbeat_s)
        server = Server(load_registry(arguments.module), arguments.root, source, sink, heartbeat)
        try:
            server.serve()
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            print(f"OSError: {error}", file=sys.stderr)  # a limit of the machine's: where it struck says nothing
            return 1
        return 0
    if arguments.command == "run":
        return _run(arguments.directory, arguments.module)
    print(pretty_json(load_registry(arguments.module).catalogue()), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
