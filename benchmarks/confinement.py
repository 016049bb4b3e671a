"""What it costs that steps are confined, and that the kernel trusts nothing that they leave.

One addition runs in two executors that differ in nothing but a flag, in turns, in sessions that are open already: a
slow moment of the machine is everybody's, and no start of an executor is measured. Once with a pause before each
step, in which its process is made ahead, as while a kernel captures the outputs of the step before; once without.
What the kernel does with an ended step's folder is compared, in turns too, with what a kernel does that trusts its
steps.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bskernel.core.interfaces import Session
from bskernel.core.record_form import find_record_fault
from bskernel.core.step import ExecutorRef
from bskernel.execution.step_runner import prepare_step_dir
from bskernel.images import find_recipes
from bskernel.images.description import describe
from bskernel.images.environment import cache_folder
from bskernel.remains.folder import names_in, opened_folder, read_file
from bskernel.remains.limits import RESULT_LARGEST
from bskernel.store.seal import seal, unseal
from bskernel.workspace.workspace import Workspace
from bskernel_protocol import PROTOCOL_VERSION, Artifact, StepManifest, StepResult, decode_document
from bskernel_protocol.layout import LOG, LOG_LARGEST, OUTPUTS, RESULT
from ground import ROOT
from measurement import Goal, Row, seconds
from trivial import runtimes

PAIRS_PER_RUN = 100
_PAUSE_S = 0.01
_MODULE = """\
from arithmetic import registry as whole
from bskernel_executors.sdk import Registry
from msgspec.structs import replace

registry = Registry(executor="{name}", summary="adds")
registry.add(replace(whole.find("add"), confined={confined}))
"""


def _root(folder: Path) -> Path:
    """A checkout-like folder with two executors: `confined`, and `free`, whose steps may do what a session may."""
    folder.mkdir()
    for name in ("protocol", "executors", "docker"):
        (folder / name).symlink_to(ROOT / name)
    testing = ROOT / "tests" / "testing_executor"
    (folder / "testing_executor").symlink_to(testing)
    (folder / "modules").mkdir()
    for name in ("confined", "free"):
        (folder / "modules" / f"{name}.py").write_text(_MODULE.format(name=name, confined=name == "confined"))
        image = folder / "images" / name / "1"
        image.mkdir(parents=True)
        text = (testing / "image.toml").read_text(encoding="utf-8")
        for before, after in (("testing", name), ("arithmetic", name)):
            text = text.replace(f'"{before}"', f'"{after}"')
        text = text.replace("sources = [", f'sources = ["../../../modules/{name}.py",')
        (image / "image.toml").write_text(text, encoding="utf-8")
        shutil.copyfile(testing / "requirements.lock", image / "requirements.lock")
    for recipe in find_recipes(folder):
        (recipe.folder / "catalogue.json").write_text(describe(recipe, cache_folder(), print), encoding="utf-8")
    return folder


class _Steps:
    """Runs additions in one open session."""

    def __init__(self, workspace: Workspace, session: Session, executor: ExecutorRef, number: Artifact) -> None:
        self._store, self.session = workspace.store, session
        self._executor, self._number = executor, number
        self._count = 0

    def prepare(self) -> str:
        """Make the folder of one more step; returns its name."""
        self._count += 1
        name = f"s{self._count}"
        manifest = StepManifest(
            protocol=PROTOCOL_VERSION, step=name, executor=self._executor.name, version=self._executor.version,
            executor_digest=self._executor.digest, entry="add", parameters={}, inputs=(self._number,),
        )  # fmt: skip
        folder, given = self.session.root / name, self.session.inputs_root / name
        failure = prepare_step_dir(self._store, manifest, folder, given, sealed=self.session.seals_inputs)
        if failure is not None:
            raise RuntimeError(failure.message)
        (folder / "in").symlink_to(Path("..", "..", given.parent.name, given.name))
        return name

    def run(self, name: str) -> None:
        """Run a prepared step."""
        ended = self.session.run(name, timeout_s=60, on_event=lambda _: None)
        if ended.exit_code != 0:
            raise RuntimeError(f"{self._executor}: {ended}")


@contextlib.contextmanager
def _open(folder: Path, root: Path, runtime: str) -> Iterator[dict[str, _Steps]]:
    cache = folder / f"cache-{runtime}"
    cache.mkdir()
    for name in ("envs", "code"):
        (cache / name).symlink_to(cache_folder() / name)
    workspace = Workspace(root, cache)
    number = folder / "number"
    number.write_text("5", encoding="utf-8")
    artifact = workspace.store.capture(number, "model", "file", "text/plain")
    opened = workspace.runtime(runtime, print)
    try:
        steps = {}
        for info in workspace.executors.known:
            opened.prepare(info.ref)
            steps[info.name] = _Steps(workspace, opened.open(info.ref), info.ref, artifact)
        yield steps
    finally:
        opened.close()


def _read_checked(session: Session, name: str, aside: Path) -> None:
    """What the kernel does beyond reading: take the folders away, open without following, judge the record, seal."""
    folder, given = session.root / name, session.inputs_root / name
    given.rename(aside / f"{name}-in")
    folder.rename(aside / name)
    with opened_folder(aside / name) as opened:
        read_file(opened, LOG, LOG_LARGEST)
    with opened_folder(aside / name) as opened:
        data = read_file(opened, RESULT, RESULT_LARGEST)
        result = decode_document(data)
        names_in(opened)
        with opened_folder(OUTPUTS, dir_fd=opened) as out:
            names_in(out)
    if not isinstance(result, StepResult) or find_record_fault(result.record) is not None:
        raise RuntimeError(f"{name} left no result")
    unseal(name, seal(name, data))


def _put_back(session: Session, name: str, aside: Path) -> None:
    (aside / f"{name}-in").rename(session.inputs_root / name)
    (aside / name).rename(session.root / name)


def _read_trusting(session: Session, name: str, _: Path) -> None:
    folder = session.root / name
    (folder / LOG).read_bytes()
    if not isinstance(decode_document((folder / RESULT).read_bytes()), StepResult):
        raise RuntimeError(f"{name} left no result")
    list((folder / OUTPUTS).iterdir())


def _rows(runtime: str, what: str, cost: list[float], **of: list[float]) -> list[Row]:
    low, middle, high = statistics.quantiles(cost, n=4)
    group = f"{what} of one step, {runtime}"
    values = {"difference, median": middle, "lower quartile": low, "upper quartile": high}
    values |= {f"{name}, median": statistics.median(taken) for name, taken in of.items()}
    return [
        Row(group=group, what=name, value=value * 1e3, unit="ms", runs=len(cost)) for name, value in values.items()
    ]


def _measure(steps: dict[str, _Steps], aside: Path, pairs: int, pause_s: float) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {"confined": [], "free": [], "checked": [], "trusting": []}
    readers: dict[str, Callable[[Session, str, Path], None]]
    readers = {"checked": _read_checked, "trusting": _read_trusting}
    for at in range(pairs + 5):
        # Each is first as often as second.
        order = ("confined", "free") if at % 2 else ("free", "confined")
        names = {name: steps[name].prepare() for name in order}
        for name in order:
            time.sleep(pause_s)
            taken[name].append(seconds(functools.partial(steps[name].run, names[name])))
        for reader in ("checked", "trusting") if at % 2 else ("trusting", "checked"):
            read = functools.partial(readers[reader], steps["confined"].session, names["confined"], aside)
            taken[reader].append(seconds(read))
            if reader == "checked":
                _put_back(steps["confined"].session, names["confined"], aside)
    return {name: values[5:] for name, values in taken.items()}  # the first ones import and open what all need


def _differences(one: list[float], other: list[float]) -> list[float]:
    return [ours - theirs for ours, theirs in zip(one, other, strict=True)]


def confinement(folder: Path, runs: int) -> list[Row]:
    """The part: differences between pairs of steps, and of readings, in each runtime."""
    root, rows = _root(folder / "root"), list[Row]()
    for runtime in runtimes():
        with _open(folder, root, runtime) as steps:
            aside = steps["confined"].session.root.parent / "aside"
            taken = _measure(steps, aside, runs * PAIRS_PER_RUN, _PAUSE_S)
            at_once = _measure(steps, aside, runs * PAIRS_PER_RUN, 0.0)
        confined, free, checked, trusting = (taken[name] for name in ("confined", "free", "checked", "trusting"))
        confining, checking = _differences(confined, free), _differences(checked, trusting)
        rows += _rows(runtime, "confinement", confining, confined=confined, free=free)
        without = _differences(at_once["confined"], at_once["free"])
        rows += _rows(runtime, "confinement, without pauses,", without)
        rows += _rows(runtime, "checking", checking, checked=checked, trusting=trusting)
        both = [one + other for one, other in zip(confining, checking, strict=True)]
        rows.append(
            Row(
                group=f"confinement and checking of one step, {runtime}",
                what="both differences, median",
                value=statistics.median(both) * 1e3,
                unit="ms",
                runs=len(both),
                goal=Goal(1, "ms"),
            )
        )
    return rows
