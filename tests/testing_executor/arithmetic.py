"""An executor that needs no domain libraries: arithmetic on a file, and every way to misbehave."""

import contextlib
import ctypes
import fcntl
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import msgspec
from attempts import attempts  # type: ignore[import-not-found]
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter
from bskernel_executors.sdk.tools import run_tool
from bskernel_executors.sdk.user_code import load_function
from bskernel_protocol import CODE

if os.environ.get("TESTING_BROKEN"):
    raise ImportError("libnothing.so.1: cannot open shared object file")
WARM = Path(os.environ.get("HOME", "/tmp")) / "warm"


def warm_up() -> None:
    """Leaves a file at once, and then does not end by itself."""
    WARM.write_text("warm")
    time.sleep(3600)


registry = Registry(executor="testing", summary="arithmetic for tests", warm_up=warm_up, reuses_processes=True)
MODEL_IN = (Input("model", kind="file", help="a number"),)
MODEL_OUT = (Output("model", kind="file"),)
NUMBER_OUT = (*MODEL_OUT, Output("metrics", kind="file", media_type="application/json"))


class Number(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: Annotated[int, parameter("what to add", default_from="target.target_fps")] = 1


class Misdeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    how: Annotated[str, parameter("what to do wrong")]


@registry.entry("add", summary="adds", parameters=Number, inputs=MODEL_IN, outputs=MODEL_OUT)
def add(step: Step[Number]) -> None:
    before = int(step.required_input("model").read_text())
    step.output("model").write_text(str(before + step.params.number))
    step.record({"added": step.params.number})
    print(f"adding {step.params.number}")
    step.progress("added")


@registry.entry("double", summary="doubles", inputs=MODEL_IN, outputs=MODEL_OUT, stage_out="finn")
def double(step: Step[msgspec.Struct]) -> None:
    step.output("model").write_text(str(2 * int(step.required_input("model").read_text())))


@registry.entry("draw", summary="draws random numbers", parameters=Number, inputs=MODEL_IN, outputs=MODEL_OUT)
def draw(step: Step[Number]) -> None:
    print("before")
    if not step.name.startswith("quiet"):
        imported = "structlog" in sys.modules
        step.log.info("drawing", work=step.work, numbers=[1, 2.5], imported=imported)
        try:
            int("many")
        except ValueError:
            step.log.exception("no number\nat all")
    print("after", file=sys.stderr)
    number = random.random()  # noqa: S311
    step.output("model").write_text(f"{number} {Path(tempfile.mkstemp()[1]).name}")


@registry.entry("log-licence", summary="logs the licence that it is given", inputs=MODEL_IN, outputs=MODEL_OUT)
def log_licence(step: Step[msgspec.Struct]) -> None:
    step.log.info("the licence", licence=os.environ["XILINXD_LICENSE_FILE"])
    step.output("model").write_text("0")


@registry.entry(
    "nap", summary="takes a second, and no processor", parameters=Number, inputs=MODEL_IN, outputs=MODEL_OUT
)
def nap(step: Step[Number]) -> None:
    time.sleep(1)
    step.output("model").write_text(str(step.params.number))


@registry.entry("wait-for-warmth", summary="waits for what warming up leaves", inputs=MODEL_IN, outputs=MODEL_OUT)
def wait_for_warmth(step: Step[msgspec.Struct]) -> None:
    while not WARM.exists():
        time.sleep(0.01)
    step.output("model").write_text("0")


@registry.entry("needs-rtl", summary="takes rtl", inputs=MODEL_IN, outputs=MODEL_OUT, stage_in=("rtl",))
def needs_rtl(step: Step[msgspec.Struct]) -> None:
    step.output("model").write_text("0")


def _declare_stage(name: str, stage_in: tuple[str, ...], stage_out: str) -> None:
    """An entry that takes a number from one stage to the next by adding two."""

    def carry(step: Step[msgspec.Struct]) -> None:
        step.output("model").write_text(str(int(step.required_input("model").read_text()) + 2))

    registry.entry(
        name, summary="adds two", inputs=MODEL_IN, outputs=MODEL_OUT, stage_in=stage_in, stage_out=stage_out
    )(carry)


_declare_stage("tidy", ("onnx", "qonnx"), "finn")
_declare_stage("lower", ("finn",), "hwgraph")
_declare_stage("generate", ("hwgraph",), "rtl")


@registry.entry(
    "read-network",
    summary="tells what lies before it of an ONNX model and the files that the model names",
    inputs=(
        Input("model", kind="file", media_type="application/x-onnx"),
        Input("external_data", kind="tree", required=False),
        Input(
            "settings",
            kind="file",
            required=False,
            source="config",
            help="numbers by name",
            media_type="application/json",
        ),
    ),
    outputs=MODEL_OUT,
)
def read_network(step: Step[msgspec.Struct]) -> None:
    given = step.input("external_data")
    files = sorted(path for path in given.rglob("*") if path.is_file()) if given is not None else []
    told = {str(path.relative_to(given)): path.read_text() for path in files if given is not None}
    step.output("model").write_text(json.dumps(told, sort_keys=True))


@registry.entry(
    "read-alone",
    summary="takes an ONNX model of one file",
    inputs=(Input("model", kind="file", media_type="application/x-onnx"),),
    outputs=MODEL_OUT,
)
def read_alone(step: Step[msgspec.Struct]) -> None:
    step.output("model").write_text("0")


class Stages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    stages: Annotated[tuple[str, ...], parameter("stages that are right")]
    starts: Annotated[dict[str, str], parameter("stage -> step that takes it")] = {}


@registry.entry("parity", summary="tells stages", parameters=Stages, inputs=MODEL_IN, checks_stages=("onnx", "finn"))
def parity(step: Step[Stages]) -> None:
    """Even numbers are at stage finn, odd ones at onnx."""
    found = "onnx" if int(step.required_input("model").read_text()) % 2 else "finn"
    if found not in step.params.stages:
        raise StepFailure(
            category="model_load",
            message=f"the number is at stage {found}, not at {step.params.stages[0]}",
            hint=f"begin with --from {step.params.starts.get(found)}",
        )
    step.record({"stage": found})


def spoil_channel(data: bytes = b"a library's progress bar\n") -> None:
    """Write what is no frame to the server's protocol channel."""
    server = Path(f"/proc/{os.getppid()}")
    for number in (path.name for path in (server / "fd").iterdir()):
        flags = (server / "fdinfo" / number).read_text().split("flags:\t")[1].split()[0]
        # The one pipe that the server writes to is the protocol channel.
        if int(flags, 8) & os.O_ACCMODE == os.O_WRONLY and "pipe:" in os.readlink(server / "fd" / number):  # noqa: PTH115
            os.write(os.open(server / "fd" / number, os.O_WRONLY), data)


def leave_daemon() -> None:
    """Leave a process that nothing connects with this step: no group, session, environment, folder or descriptor."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            os.closerange(3, 100)
            os.execve("/bin/sleep", ["sleep", "3600.25"], {})  # noqa: S606
        os._exit(0)
    os.wait()


def turn_against_server(how: str) -> None:
    """What a step can do to the process that serves it, and to what lies between that and the kernel."""
    if how == "stop-server":
        os.kill(os.getppid(), signal.SIGSTOP)
    elif how == "interrupt-server":
        os.kill(os.getppid(), signal.SIGINT)
    elif how == "kill-server":
        leave_daemon()
        os.kill(os.getppid(), signal.SIGKILL)
    elif how == "kill-server-group":
        leave_daemon()
        os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)
    elif how == "stop-itself":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "nested-frame":
        body = b"\x82\xa4type\xa5alive\xa4more" + b"\x91" * 3_000 + b"\xc0"
        spoil_channel(struct.pack(">4sI", b"BSK1", len(body)) + body)
    elif how == "half-frame":
        spoil_channel(struct.pack(">4sI", b"BSK1", 1_000) + b"\x82")
    elif how == "huge-frame":
        spoil_channel(struct.pack(">4sI", b"BSK1", 2_000_000_000) + b"\x82")
    else:
        return
    time.sleep(3600)


@registry.entry(
    "misbehave",
    summary="does wrong",
    parameters=Misdeed,
    inputs=MODEL_IN,
    outputs=MODEL_OUT,
    failure="transform",
)
def misbehave(step: Step[Misdeed]) -> None:
    out = step.output("model")
    how = step.params.how
    print("about to do wrong, in session", os.environ["BSKERNEL_SESSION"])
    if how == "raise":
        try:
            int("many")
        except ValueError as error:
            raise RuntimeError("wrapper") from error
    elif how == "refuse":
        raise StepFailure(category="kernel", message="layer LabelSelect has no RTL", hint="keep it on the host")
    elif how == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "nothing":
        return
    elif how == "undeclared":
        out.write_text("1")
        (step.directory / "out" / "more").write_text("1")
    elif how == "outside":
        out.write_text("1")
        (step.directory / "more").write_text("1")
    elif how == "spoil-input":
        given = step.required_input("model")
        with contextlib.suppress(OSError):
            given.write_text("666")
        out.write_text("1")
    elif how == "link-out":
        out.symlink_to("/etc/passwd")
    elif how == "leak":
        out.write_text(f"made in {step.work}")
    elif how == "hang":
        step.progress("layer 3 of 10")
        time.sleep(3600)
    elif how == "die-of-kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "read-missing":
        (step.work / "gone.txt").read_text()
    elif how == "exit":
        raise SystemExit("the library has had enough")
    elif how == "escape":
        if os.fork() == 0:
            os.setsid()
            time.sleep(3600)
        out.write_text("1")
    elif how == "memory":
        bytearray(8 << 30)
    elif how == "memory-together":
        # Each within its own limit, all together above it.
        code = "import sys, time; held = bytearray(b'1') * (200 << 20); time.sleep(30)"
        holders = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(6)]
        codes = [holder.wait() for holder in holders[:1]]
        raise RuntimeError(f"a helper ended with {codes}")
    elif how == "garbage-result":
        (step.directory / "result.msgpack").write_bytes(b"garbage")
        ctypes.CDLL(None)._exit(0)
    else:
        turn_against_server(how)


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Annotated[str, parameter("Python that does it, with `step`, `out` and `end`")]


@registry.entry(
    "act",
    summary="does anything that a step can do to its folder",
    parameters=Act,
    inputs=MODEL_IN,
    outputs=(
        Output("model", kind="file", required=False),
        Output("tree", kind="tree", required=False),
        Output("metrics", kind="file", media_type="application/json", required=False),
    ),
    failure="transform",
    confined=False,  # what the kernel does with it is tested here, not what the sandbox refuses
)
def act(step: Step[Act]) -> None:
    """Do what the code says; `end()` ends the step's process before anything checks what it left."""
    print("about to act")
    names = {"step": step, "out": step.directory / "out", "end": lambda: os._exit(0)}
    exec(step.params.code, names)  # noqa: S102 - whatever a step may do


@registry.entry(
    "spoil-channel", summary="writes to its server's channel", inputs=MODEL_IN, outputs=MODEL_OUT, confined=False
)
def spoil(step: Step[msgspec.Struct]) -> None:
    print("about to do wrong, in session", os.environ["BSKERNEL_SESSION"])
    spoil_channel()
    time.sleep(3600)


class Meeting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    word: Annotated[str, parameter("the word that the step leaves")]
    until: Annotated[tuple[str, ...], parameter("the words that it waits for")] = ()
    helper: Annotated[bool, parameter("leave a helper running, in a session of its own, that holds a lock")] = False
    then: Annotated[str, parameter("what to do at last: end, fail, or end-session")] = "end"


@registry.entry(
    "meet",
    summary="leaves a word where the steps of its session, and their kernel, see it, and waits for others",
    parameters=Meeting,
    inputs=MODEL_IN,
    outputs=MODEL_OUT,
    confined=False,
)
def meet(step: Step[Meeting]) -> None:
    words = [step.directory.parent, *(folder for folder in step.directory.parents if folder.name == "steps")][-1]
    if step.params.helper and os.fork() == 0:
        os.setsid()
        with (words / f".{step.params.word}.helper").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            (words / f".{step.params.word}.helps").touch()
            time.sleep(3600)
    (words / f".{step.params.word}").touch()
    print(f"{step.params.word} is here")
    wanted = [*step.params.until, *([f"{step.params.word}.helps"] if step.params.helper else [])]
    while not all((words / f".{word}").exists() for word in wanted):
        time.sleep(0.005)
    if step.params.then == "fail":
        raise StepFailure(category="kernel", message=f"{step.params.word} has had enough")
    if step.params.then == "end-session":
        spoil_channel()
        time.sleep(3600)
    step.output("model").write_text("1")


class Counted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    word: Annotated[str, parameter("what the step is called in the folder")]
    folder: Annotated[str, parameter("where every run leaves a file: FOLDER/began, then FOLDER/done")]
    number: Annotated[int, parameter("what to add", default_from="target.target_fps")] = 1
    fails_at: Annotated[tuple[int, ...], parameter("numbers at which it fails")] = ()


@registry.entry(
    "count",
    summary="adds, and can be counted",
    parameters=Counted,
    inputs=MODEL_IN,
    outputs=NUMBER_OUT,
    confined=False,
)
def count(step: Step[Counted]) -> None:
    """Runs for which FOLDER/hold has a file of their name wait until it is gone; each notes how many ran beside it.

    While it lives, a lock is held on FOLDER/runs/NAME.
    """
    given, folder = int(step.required_input("model").read_text()), Path(step.params.folder)
    made = given + step.params.number
    name = f"{step.params.word}-{made}"
    run = f"{name}.{time.time_ns()}"
    running = (folder / "runs" / run).open("w")
    fcntl.flock(running, fcntl.LOCK_EX)
    (folder / "began" / run).write_text(str(step.directory))
    while (folder / "hold" / name).exists():
        time.sleep(0.005)
    beside = len(list((folder / "runs").glob(f"{step.params.word}-*")))
    (folder / "runs" / run).unlink()
    running.close()
    print(f"{name} is over")
    if made in step.params.fails_at:
        raise StepFailure(category="kernel", message=f"{made} cannot be")
    step.output("model").write_text(str(made))
    quantities = [{"value": made, "unit": "count", "stage": "estimate", "source": "testing"}]
    step.output("metrics").write_text(json.dumps({"number": quantities}))
    (folder / "done" / run).write_text(str(beside))


registry.entry(
    "count-with-vivado",
    summary="counts, and needs a tool",
    parameters=Counted,
    inputs=MODEL_IN,
    outputs=NUMBER_OUT,
    needs=("vivado",),
    confined=False,
)(count)


@registry.entry(
    "weigh",
    summary="adds up the numbers in the files of a folder",
    inputs=(Input("numbers", kind="tree"),),
    outputs=(
        Output("weight", kind="file"),
        Output("copy", kind="tree"),
        Output("even", kind="file", required=False),
    ),
)
def weigh(step: Step[msgspec.Struct]) -> None:
    """A file `wait` makes it wait for ever, one named `refuse` fails it."""
    given = step.required_input("numbers")
    print("weighing", *sorted(path.name for path in given.iterdir()))
    if (given / "refuse").exists():
        raise StepFailure(category="kernel", message="too heavy")
    while (given / "wait").exists():
        time.sleep(0.01)
    weight = sum(int(path.read_text()) for path in given.iterdir())
    step.output("weight").write_text(str(weight))
    (step.output("copy") / "deep").mkdir(parents=True)
    for path in given.iterdir():
        (step.output("copy") / "deep" / path.name).write_text(path.read_text())
    if weight % 2 == 0:
        step.output("even").write_text("")
    step.record({"weight": weight})


@registry.entry(
    "add-weights",
    summary="adds up what was weighed",
    inputs=(
        Input("weight", kind="tree"),
        Input("copy", kind="tree"),
        Input("even", kind="tree", required=False),
    ),
    outputs=MODEL_OUT,
)
def add_weights(step: Step[msgspec.Struct]) -> None:
    """Tells the weight of each item, and which are even."""
    weights = {path.parent.name: int(path.read_text()) for path in step.required_input("weight").glob("*/weight")}
    copied = {path.name: len(list(path.glob("deep/*"))) for path in step.required_input("copy").iterdir()}
    even = step.input("even")
    evens = sorted(path.parent.name for path in even.glob("*/even")) if even is not None else []
    told = {"weights": weights, "files": copied, "even": evens}
    step.output("model").write_text(json.dumps(told, sort_keys=True))


class Session(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: Annotated[str, parameter("the session that it does not end in")] = ""


@registry.entry("linger", summary="waits for another session", parameters=Session, inputs=MODEL_IN, outputs=MODEL_OUT)
def linger(step: Step[Session]) -> None:
    (step.work / "scratch").write_text("left by a step")
    print("lingering")
    while os.environ["BSKERNEL_SESSION"] == step.params.session:
        time.sleep(0.01)
    step.output("model").write_text(step.required_input("model").read_text())


@registry.entry("look", summary="looks around", inputs=MODEL_IN, outputs=MODEL_OUT)
def look(step: Step[msgspec.Struct]) -> None:
    """Record what an executor may do here."""
    step.output("model").write_text("0")
    given = step.required_input("model").parent
    folders = {"inputs": given, "libraries": Path("/usr/lib"), "code": Path(__file__).parent, "work": step.work}
    writable = [name for name, folder in folders.items() if os.access(folder, os.W_OK)]
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    step.record(
        {
            "writable": writable,
            "interfaces": sorted(os.listdir("/sys/class/net")),  # noqa: PTH208
            "uid": os.getuid(),
            "capabilities": fields["CapBnd"],
            "no_new_privileges": fields["NoNewPrivs"],
        }
    )


@registry.entry(
    "run-code",
    summary="adds what the user's function says",
    inputs=(*MODEL_IN, Input("source", kind="tree", required=False, source="config", media_type=CODE)),
    outputs=MODEL_OUT,
)
def run_code(step: Step[msgspec.Struct]) -> None:
    source = step.input("source")
    print("session", os.environ["BSKERNEL_SESSION"])
    added = load_function("own:number", source)() if source is not None else 0
    step.output("model").write_text(str(added))


class Hostility(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    other: Annotated[str, parameter("the folder of another step of the session")]
    outside: Annotated[str, parameter("a folder of the user's")]


@registry.entry(
    "attempt", summary="tries to reach what is not its own", parameters=Hostility, inputs=MODEL_IN, outputs=MODEL_OUT
)
def attempt(step: Step[Hostility]) -> None:
    """Record what it could do, and what kept it from the rest."""
    other, outside = step.directory.parent / step.params.other, Path(step.params.outside)
    done, prevented = [], {}
    for name, function in attempts(step.directory, other, outside, os.getppid(), WARM.parent).items():
        try:
            function()
        except OSError as error:
            prevented[name] = type(error).__name__
        else:
            done.append(name)
    step.output("model").write_text("0")
    step.record({"done": done, "prevented": prevented})


@registry.entry("ask-tool", summary="asks a tool", inputs=MODEL_IN, outputs=MODEL_OUT, needs=("vivado",))
def ask_tool(step: Step[msgspec.Struct]) -> None:
    """Run the mounted tool and record what surrounds it."""
    said = subprocess.run(["vivado", "-version"], capture_output=True, text=True, check=True).stdout
    licence = os.environ.get("XILINXD_LICENSE_FILE", "")
    print("the licence is", licence)
    root = Path(os.environ["XILINX_VIVADO"])
    step.output("model").write_text(said)
    step.record(
        {
            "said": said.splitlines()[0],
            "tools": step.tools,
            "licence": bool(licence),
            "licence_file": Path(licence).is_file() if licence.startswith("/") else None,
            "local_user_data": os.environ.get("XILINX_LOCAL_USER_DATA"),
            "writable": os.access(root, os.W_OK),
            "interfaces": len(socket.if_nameindex()),
        }
    )
    if licence == "refuse-me@example.invalid":
        raise StepFailure(category="licence", message=f"no licence at {licence}", cause=(f"{licence} is down",))


@registry.entry("orphan", summary="leaves a child to others", inputs=MODEL_IN, outputs=MODEL_OUT, needs=("vivado",))
def orphan(step: Step[msgspec.Struct]) -> None:
    """Wait, as some tools do at their end, until a process that was left behind is gone altogether."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        left = os.fork()
        if left == 0:
            os._exit(0)
        os.write(writing, str(left).encode())
        os._exit(0)
    os.waitpid(child, 0)
    left = int(os.read(reading, 20))
    deadline = time.monotonic() + 20
    while Path(f"/proc/{left}").exists():
        if time.monotonic() > deadline:
            raise StepFailure(category="executor", message="nobody reaped the process that was left behind")
        time.sleep(0.05)
    step.output("model").write_text("0")


class Recorded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    exit_code: Annotated[int, parameter("what the tool ends with")] = 1
    part: Annotated[str | None, parameter("FPGA part", default_from="target.part")] = None
    clock_ns: Annotated[float | None, parameter("clock", unit="ns", default_from="target.clock_ns")] = None


@registry.entry(
    "recorded-tool",
    summary="stands in for a tool that is not here: prints what it printed elsewhere, and ends as it did",
    parameters=Recorded,
    inputs=(*MODEL_IN, Input("log", kind="file", source="config", help="what the tool printed")),
    outputs=MODEL_OUT,
    failure="synthesis",
)
def recorded_tool(step: Step[Recorded]) -> None:
    code = "import pathlib, sys; print(pathlib.Path(sys.argv[1]).read_text()); sys.exit(int(sys.argv[2]))"
    log = str(step.required_input("log"))
    command = [sys.executable, "-c", code, log, str(step.params.exit_code)]
    run_tool(command, cwd=step.work, env=os.environ, failed="the tool failed")


@registry.entry(
    "collect",
    summary="collects what there is",
    inputs=(*MODEL_IN, Input("measured", kind="file", required=False)),
    outputs=(Output("metrics", kind="file", media_type="application/json"),),
    after_failure=True,
)
def collect(step: Step[msgspec.Struct]) -> None:
    measured = step.input("measured")
    found = {"model": int(step.required_input("model").read_text())}
    step.output("metrics").write_text(
        json.dumps(found | ({} if measured is None else {"measured": int(measured.read_text())}))
    )


@registry.entry(
    "measure",
    summary="measures, but nothing above 9",
    inputs=MODEL_IN,
    outputs=(Output("measured", kind="file"), Output("model", kind="file")),
    failure="verification",
)
def measure(step: Step[msgspec.Struct]) -> None:
    number = step.required_input("model").read_text()
    if int(number) > 9:
        raise StepFailure(message=f"{number} is more than one digit", hint="add less")
    step.output("measured").write_text(number)
    step.output("model").write_text(number)


@registry.entry(
    "tell",
    summary="tells the number as a quantity",
    inputs=MODEL_IN,
    outputs=(Output("metrics", kind="file", media_type="application/json"),),
    after_failure=True,
)
def tell(step: Step[msgspec.Struct]) -> None:
    value = int(step.required_input("model").read_text())
    quantities = [{"value": value, "unit": "count", "stage": "estimate", "source": "testing"}]
    step.output("metrics").write_text(json.dumps({"number": quantities}))


@registry.entry(
    "measure-tree",
    summary="writes a folder of files about the number",
    inputs=MODEL_IN,
    outputs=(Output("parts", kind="tree"), *MODEL_OUT),
)
def measure_tree(step: Step[msgspec.Struct]) -> None:
    number = step.required_input("model").read_text()
    (step.output("parts") / "deep" / "er").mkdir(parents=True)
    for name, text in {"one": number, "deep/two": 2 * number, "deep/er/run.sh": f"echo {number}"}.items():
        (step.output("parts") / name).write_text(text)
    (step.output("parts") / "deep" / "er" / "run.sh").chmod(0o755)
    step.output("model").write_text(number)
