"""Digits in flow open, cold, and its layers synthesised as bskernel does beside Yosys's synth_xilinx as it is."""

from __future__ import annotations

import functools
import json
import resource
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bskernel.images import ensure_environment, find_recipes
from bskernel.images.environment import cache_folder
from bskernel_executors.yosys_synth.xilinx_script import AFTER, BEFORE, MEMORIES, write_script
from ground import ROOT, Ground
from measurement import After, Goal, Row, call, medians
from networks import DIGITS

FAMILY = "xcup"
_TOOL = "bskernel_executors.yosys_synth.tool"
_RUN = (
    "import runpy, sys; sys.path[:0] = sys.argv[1:3]; del sys.argv[1:3]; "
    f"runpy.run_module({_TOOL!r}, run_name='__main__')"
)
_PLAIN = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"


def processor_seconds(action: Callable[[], object]) -> float:
    """The processor time of the programs that it runs, which other work on the machine changes less than seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def lay_out(layers: Path, folder: Path, share: Path) -> tuple[Path, ...]:
    """Write each different layer's sources and both scripts into a folder of its own; returns the folders."""
    library = {
        path.name: path.read_text(encoding="utf-8") for path in share.iterdir() if path.suffix in {".v", ".vh"}
    }
    different: dict[tuple[tuple[str, bytes], ...], Path] = {}
    for layer in sorted(layers.iterdir()):
        files = sorted(path for path in layer.rglob("*") if path.is_file())
        different.setdefault(tuple((str(path.relative_to(layer)), path.read_bytes()) for path in files), layer)
    for layer in different.values():
        work = folder / layer.name
        work.mkdir(parents=True)
        sources = json.loads((layer / "sources.json").read_text(encoding="utf-8"))
        for source in sources:
            shutil.copyfile(layer / source, work / Path(source).name)
        if (layer / "mem").is_dir():
            shutil.copytree(layer / "mem", work / "mem")
        script = write_script(FAMILY, [Path(source).name for source in sources], library, has_ultra=True)
        for name, text in script.items():
            (work / name).write_text(text, encoding="utf-8")
        read, synthesise = script[BEFORE].splitlines()[0], script[AFTER].splitlines()[0].partition(" -run")[0]
        plain = (read, synthesise, *script[AFTER].splitlines()[1:])
        (work / "plain.ys").write_text("\n".join(plain), encoding="utf-8")
    return tuple(folder / layer.name for layer in different.values())


def _synthesise(python: Path, folders: tuple[Path, ...]) -> Mapping[str, Callable[[], None]]:
    sources = (ROOT / "executors", ROOT / "protocol")

    def in_copies(*arguments: str | Path) -> None:
        for folder in folders:
            with tempfile.TemporaryDirectory(dir=folder.parent) as copy:
                shutil.copytree(folder, copy, dirs_exist_ok=True)
                call([python, "-P", "-c", *arguments], cwd=Path(copy))

    return {
        "synth_xilinx": functools.partial(in_copies, _PLAIN, "plain.ys"),
        "bskernel": functools.partial(in_copies, _RUN, *sources, BEFORE, MEMORIES, AFTER),
    }


def open_flow(folder: Path, runs: int) -> list[Row]:
    """The part, in the process runtime."""
    ground = Ground(folder / "digits", "process")
    for name in ("open.toml", "digits_w4a4.onnx", "heldout.npz"):
        shutil.copy(DIGITS / name, ground.folder / name)
    used: list[float] = []

    def run() -> None:
        used.append(processor_seconds(lambda: call(ground.command(ground.folder / "open.toml"), env=ground.env)))

    run()  # makes what is made once
    used.clear()
    cold = medians({"cold": After(ground.forget, run)}, runs)["cold"]
    recipe = next(item for item in find_recipes(ROOT) if item.file.executor == "yosys-synth")
    python = ensure_environment(recipe, cache_folder(), print).python
    share = next(python.parents[1].glob("lib/python3*/site-packages/pyosys/share/xilinx"))
    folders = lay_out(ground.folder / "out" / "artifacts" / "layers", folder / "layers", share)
    actions = _synthesise(python, folders)
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(runs):
        for name, action in actions.items():
            taken[name].append(processor_seconds(action))
    plain, ours = (statistics.median(taken[name]) for name in ("synth_xilinx", "bskernel"))
    group, layers = "digits, flow open, process", f"processor time, {len(folders)} different layers"
    return [
        Row(group=group, what="cold", value=cold, unit="s", runs=runs, goal=Goal(20, "s")),
        Row(group=group, what="processor time, cold", value=statistics.median(used), unit="s", runs=runs),
        Row(group=group, what=f"{layers}: Yosys's synth_xilinx", value=plain, unit="s", runs=runs),
        Row(
            group=group, what=f"{layers}: bskernel", value=ours, unit="s", runs=runs,
            against="synth_xilinx", ratio=ours / plain,
        ),
    ]  # fmt: skip
