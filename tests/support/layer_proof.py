"""Simulates layers of the library, each against FINN's own execution in Python, many in one simulator."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bskernel.images import ensure_environment, environment_variables
from bskernel.workspace.workspace import Workspace

from support.paths import SUPPORT

BENCH = SUPPORT / "layer_bench"
Layer = dict[str, Any]
# Percent of cycles in which sources, even outputs and odd outputs wait.
STALLS = ((0, 0, 0), (60, 0, 0), (0, 60, 60), (50, 50, 50), (0, 90, 10), (20, 5, 85))


@dataclass(frozen=True)
class Tools:
    """Pythons of FINN's and Verilator's environments, and the variables that they need."""

    finn: Path
    variables: dict[str, str]
    verilator: Path  # its package


@dataclass(frozen=True)
class Proof:
    """What was found out about one layer, of which every beat was right."""

    cycles: float  # per frame, measured without stalls
    estimated_cycles: int
    resources: dict[str, float]  # estimated
    by_style: dict[str, dict[str, Any]]  # what FINN selects for a preferred style, and how it folds that


def find_tools(workspace: Workspace, environments: Path, home: Path) -> Tools:
    made = {
        name: (recipe, ensure_environment(recipe, environments, lambda _: None))
        for recipe in workspace.recipes
        for name in (recipe.name.partition("@")[0],)
        if recipe.name in {"finn-step@finn-plus-1.6.1", "rtl-sim@verilator-5.48"}
    }
    recipe, finn = made["finn-step"]
    variables = {"PYTHONPATH": str(finn.code), "HOME": str(home), "TMPDIR": str(home), "PATH": "/usr/bin:/bin"}
    (package,) = made["rtl-sim"][1].python.parents[1].glob("lib/python*/site-packages/verilator")
    return Tools(finn.python, environment_variables(recipe) | variables, package)


def make_cases(layers: Sequence[Layer], tools: Tools, folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Let FINN write the hardware of layers, and execute them. Also return the operators that the library has."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(tools.finn), str(SUPPORT / "layer_worker.py"), str(folder)],
        input=json.dumps(list(layers)), env=tools.variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    made = json.loads((folder / "bench.json").read_text())
    return made["operators"], made["cases"]


def write_bench(cases: Sequence[dict[str, Any]]) -> str:
    """One module that contains every case, with a source or a sink at each stream."""
    body, done = [], []
    for at, case in enumerate(cases):
        ports = ["\t\t.ap_clk(ap_clk), .ap_rst_n(ap_rst_n)"]
        for stream in case["streams"]:
            port, width, beats = stream["port"], stream["width"], stream["beats"]
            name, number = f"c{at}_{port}", int(port.lstrip("inout"))
            body.append(f"\twire [{width - 1}:0] {name}_data;\n\twire {name}_valid, {name}_ready;\n")
            ports.append(
                f"\t\t.{port}_V_TDATA({name}_data), .{port}_V_TVALID({name}_valid), .{port}_V_TREADY({name}_ready)"
            )
            seed, file = 977 * at + 31 * number + 7, stream["file"]
            common = f'.WIDTH({width}), .BEATS({beats}), .SEED({seed}), .FILE("{file}")'
            if port.startswith("in"):
                body.append(
                    f"\tstream_source #({common}) {name}_source (.clk(ap_clk), .rst_n(ap_rst_n),"
                    f" .stall(source_stall), .data({name}_data), .valid({name}_valid), .ready({name}_ready));\n"
                )
                continue
            frame, stall = beats // case["frames"], "odd_stall" if number % 2 else "even_stall"
            done.append(f"{name}_done")
            body.append(
                f"\twire {name}_done;\n\tstream_sink #({common}, .FRAME({frame}), .CASE({at}), .STREAM({number}))"
                f" {name}_sink (.clk(ap_clk), .rst_n(ap_rst_n), .stall({stall}), .cycle,"
                f" .data({name}_data), .valid({name}_valid), .ready({name}_ready), .done({name}_done));\n"
            )
        inside = ",\n".join(ports)
        body.append(f"\t{case['module']} c{at} (\n{inside}\n\t);\n")
    return (
        "module layer_bench (\n\tinput logic ap_clk, ap_rst_n,\n"
        "\tinput logic [6:0] source_stall, even_stall, odd_stall,\n\toutput logic done\n);\n"
        "\tint unsigned cycle;\n\talways_ff @(posedge ap_clk) cycle <= ap_rst_n ? cycle + 1 : 0;\n"
        f"{''.join(body)}\tassign done = {' && '.join(done)};\nendmodule\n"
    )


def run_verilator(tools: Tools, arguments: Sequence[str], folder: Path) -> str:
    """Run Verilator, and return what it prints."""
    done = subprocess.run(
        [str(tools.verilator / "bin" / "verilator_bin"), *arguments],
        cwd=folder, env=os.environ | {"VERILATOR_ROOT": str(tools.verilator)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-6000:]
    return done.stderr


def compile_bench(cases: Sequence[dict[str, Any]], tools: Tools, folder: Path) -> Path:
    """Compile cases to one simulator. Their modules are free of Verilator's warnings."""
    sources = list(dict.fromkeys(Path(path) for case in cases for path in case["sources"]))
    for path in [*sources, *BENCH.iterdir()]:
        shutil.copy(path, folder)
    (folder / "layer_bench.sv").write_text(write_bench(cases))
    modules = [path.name for path in sources]
    bench = [path.name for path in BENCH.glob("*.sv")]
    command = [
        "--cc", "--exe", "--build", "--no-timing", "--assert", "-O3", "--x-assign", "unique",
        "-Wall", "-Wno-MULTITOP", "-Wno-DECLFILENAME", "-Wno-fatal",
        "-j", "1", "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include", "-CFLAGS", "-O0 -g0",
        "--top-module", "layer_bench", "--Mdir", "obj", "-o", "bench",
        *modules, *bench, "layer_bench.sv", "main.cpp",
    ]  # fmt: skip
    run_verilator(tools, command, folder)
    return folder / "obj" / "bench"


def _find_pace(ends: list[int]) -> float:
    """Cycles between the ends of frames, without the first, which fills the layer."""
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def prove(layers: Sequence[Layer], tools: Tools, folder: Path) -> tuple[list[str], list[Proof]]:
    """Simulate layers under every kind of back-pressure; return the library's operators and what was measured.

    Fails at the first beat that Python does not compute.
    """
    operators, cases = make_cases(layers, tools, folder)
    refused = [layer for layer, case in zip(layers, cases, strict=True) if "refused" in case]
    assert not refused, refused[0]
    simulator = compile_bench(cases, tools, folder)
    beats = max(stream["beats"] for case in cases for stream in case["streams"])
    paces: list[float] = []
    for stalls in STALLS:
        patience = 60 * beats + 2000
        done = subprocess.run(
            [str(simulator), *map(str, stalls), str(patience)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line.split() for line in done.stdout.splitlines()]
        if done.returncode != 0:
            wrong = next((line for line in done.stdout.splitlines() if line.startswith("wrong")), "nothing comes")
            at = int(wrong.split()[1]) if wrong.startswith("wrong") else None
            raise AssertionError(
                f"{wrong} (stalls {stalls}): {layers[at] if at is not None else done.stdout[-2000:]}"
            )
        if not paces:
            ends = [[int(line[3]) for line in lines if line[:3] == ["end", str(at), "0"]] for at in range(len(cases))]
            paces = [_find_pace(found) for found in ends]
    proofs = [
        Proof(pace, case["cycles"], case["resources"], case["by_style"])
        for pace, case in zip(paces, cases, strict=True)
    ]
    return operators, proofs
