"""bskernel builds FPGA accelerators from quantized neural networks, each step in a pinned executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bskernel.core.errors import BskernelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bskernel.result.build_result import BuildResult
    from bskernel.result.comparison import Comparison, Gate
    from bskernel.result.comparison.gates import Missing
    from bskernel.sweeps.analysis.analysis_types import Results
    from bskernel.sweeps.results.sweep_result import SweepResult

__all__ = ["BskernelError", "diff", "results", "run", "sweep"]


def run(
    config: str | Path,
    *,
    first: str | None = None,
    last: str | None = None,
    input_type: str | None = None,
    output_type: str | None = None,
    settings: Sequence[str] = (),
    output: Path | None = None,
    runtime: str = "auto",
    jobs: int | None = None,
    keep_warm_s: float | None = None,
    cluster: str | None = None,
) -> BuildResult:
    """Build what a build.toml says and return what became of it; a failed step is a result, not an exception.

    `first` and `last` select steps as --from and --to do; `input_type` and `output_type` are stages of the model to
    begin and to end with. They count before the configuration's [flow] table.
    `settings` are assignments as in `--set`, e.g. "target.target_fps=50000". `jobs` steps run at once; without, as
    many as the configuration says or there are processors. With `keep_warm_s`, sessions stay ready until no build has
    used them for so many seconds. `cluster` is where steps are carried out, if not here: as in --cluster. Raises
    BskernelError when the build cannot begin; KeyboardInterrupt when it was interrupted, after what
    is finished was written.
    """
    from pathlib import Path

    from bskernel.commands.build import run_build
    from bskernel.config.assignments import with_jobs
    from bskernel.flow.selection import RangeRequest
    from bskernel.report.terminal import SilentObserver
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    range_request = RangeRequest(first=first, last=last, input_type=input_type, output_type=output_type)
    prepared = workspace.prepare(
        Path(config), settings=with_jobs(settings, jobs), range_request=range_request, output=output
    )
    result = run_build(
        workspace, prepared, runtime=runtime, observer=SilentObserver(), keep_s=keep_warm_s, cluster=cluster
    )
    if result.status == "interrupted":
        # Who calls this as a library must not go on as if nobody had asked to stop.
        raise KeyboardInterrupt
    return result


def sweep(
    config: str | Path,
    *,
    first: str | None = None,
    last: str | None = None,
    input_type: str | None = None,
    output_type: str | None = None,
    settings: Sequence[str] = (),
    output: Path | None = None,
    runtime: str = "auto",
    jobs: int | None = None,
    fresh: bool = False,
    keep_warm_s: float | None = None,
    cluster: str | None = None,
) -> SweepResult:
    """Build every point of a build.toml's [sweep] and return what became of them, a row for each.

    A point that failed, or was stopped by `require`, is a row, not an exception; its build directory is
    OUTPUT/points/NAME. Steps that points share run once. The arguments are those of `run`, for all points; with
    `fresh` nothing is recalled. Raises BskernelError when the sweep cannot begin; KeyboardInterrupt
    when it was interrupted, after what is finished was written.
    """
    from pathlib import Path

    from bskernel.config.assignments import with_jobs
    from bskernel.flow.selection import RangeRequest
    from bskernel.sweeps.execution.preparation import prepare_sweep
    from bskernel.sweeps.execution.sweep import Options, run_sweep
    from bskernel.sweeps.report.observers import SilentSweep
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    range_request = RangeRequest(first=first, last=last, input_type=input_type, output_type=output_type)
    prepared = prepare_sweep(workspace, Path(config), settings=with_jobs(settings, jobs), range_request=range_request)
    options = Options(runtime=runtime, fresh=fresh, keep_s=keep_warm_s, cluster=cluster)
    result = run_sweep(workspace, prepared, SilentSweep(), output=output, options=options)
    if result.status == "interrupted":
        raise KeyboardInterrupt
    return result


def results(
    sweep: SweepResult | str | Path,
    *,
    maximize: str | Sequence[str] = (),
    minimize: str | Sequence[str] = (),
    require: str | Sequence[str] = (),
) -> Results:
    """Judge the points of a sweep: `pareto` and `recommended` are rows of its table, `outcome` tells the rest.

    `sweep` is what `bskernel.sweep` returned, or the output directory of a sweep. Objectives that are given replace
    those of its [sweep], conditions its `require`. Nothing runs. Raises BskernelError when it cannot
    be read, or for a metric that no point has.
    """
    from pathlib import Path

    from bskernel.sweeps.analysis.analysis import results_of
    from bskernel.sweeps.results.sweep_file import read_sweep

    kept = read_sweep(Path(sweep)) if isinstance(sweep, str | Path) else sweep
    return results_of(kept.table, kept.goals.instead(maximize, minimize, require))


def diff(
    base: str | Path, new: str | Path, *, gates: Sequence[str | Gate] = (), missing: Missing = "fail"
) -> Comparison:
    """Compare two builds, each a build directory or its result.json, and judge gates; a failed gate is a verdict.

    A gate is a condition that must not hold, e.g. "throughput < 0.98 * base". Raises BskernelError
    when a build cannot be read or a gate is no condition.
    """
    from pathlib import Path

    from bskernel.result.comparison import Gate
    from bskernel.result.diff import diff as compare

    given = [Gate(fail_if=gate) if isinstance(gate, str) else gate for gate in gates]
    return compare(Path(base), Path(new), gates=given, missing=missing)
