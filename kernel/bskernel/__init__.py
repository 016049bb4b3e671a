"""Build FPGA accelerators from quantized neural networks, each step in an executor of pinned versions."""

from __future__ import annotations

from bskernel.core.errors import BskernelError

TYPE_CHECKING = False  # the name that type checkers know; the installed command imports before it sets its path
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
    fresh: bool = False,
    keep_warm_s: float | None = None,
    cluster: str | None = None,
) -> BuildResult:
    """Build the accelerator of a build.toml. A failed step is a result, not an exception.

    The arguments are the options of `bskernel run`. `first` and `last` (--from, --to) name the first and last step;
    `input_type` and `output_type` are the stages at which the model enters and leaves the flow. They override the
    [flow] table of the configuration. `settings` are assignments like those of --set, e.g.
    "target.target_fps=50000". `output` is the build directory, by default build/NAME. `runtime` is "docker",
    "process" or "auto". At most `jobs` steps run at once; the default is limits.jobs, or else one per processor. With
    `fresh` every step runs, even if its result is cached. Sessions stay warm until they have been idle for
    `keep_warm_s` seconds. `cluster` is where steps run if not on this machine, as for --cluster.

    Raises BskernelError if the build cannot start; KeyboardInterrupt if it was interrupted, after it has written what
    is finished.
    """
    from pathlib import Path

    from bskernel.commands.build import run_build
    from bskernel.config.assignments import with_jobs
    from bskernel.core.observers import SilentObserver
    from bskernel.flow.selection import RangeRequest
    from bskernel.workspace.build_options import BuildOptions
    from bskernel.workspace.workspace import Workspace

    options = BuildOptions(runtime=runtime, fresh=fresh, keep_s=keep_warm_s, cluster=cluster)
    range_request = RangeRequest(first=first, last=last, input_type=input_type, output_type=output_type)
    workspace = Workspace.here()
    prepared = workspace.prepare(
        Path(config), settings=with_jobs(settings, jobs), range_request=range_request, output=output
    )
    result = run_build(workspace, prepared, SilentObserver(), options=options)
    if result.status == "interrupted":
        # A program that called this must stop too.
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
    """Build every point of a build.toml's [sweep] table; steps that points share run once.

    A point that failed, or that `require` stopped, is a row of the result, not an exception. The build directory of a
    point is OUTPUT/points/NAME; `output` is build/NAME-sweep by default. The other arguments are those of `run`, and
    apply to all points.

    Raises BskernelError if the sweep cannot start; KeyboardInterrupt if it was interrupted, after it has written what
    is finished.
    """
    from pathlib import Path

    from bskernel.config.assignments import with_jobs
    from bskernel.flow.selection import RangeRequest
    from bskernel.sweeps.execution.preparation import prepare_sweep
    from bskernel.sweeps.execution.sweep import run_sweep
    from bskernel.sweeps.report.observers import SilentSweep
    from bskernel.workspace.build_options import BuildOptions
    from bskernel.workspace.workspace import Workspace

    options = BuildOptions(runtime=runtime, fresh=fresh, keep_s=keep_warm_s, cluster=cluster)
    range_request = RangeRequest(first=first, last=last, input_type=input_type, output_type=output_type)
    workspace = Workspace.here()
    prepared = prepare_sweep(workspace, Path(config), settings=with_jobs(settings, jobs), range_request=range_request)
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
    """Analyse the points of a finished sweep; nothing is executed.

    `sweep` is the result of `bskernel.sweep`, or the output directory of a sweep. `pareto` and `recommended` of the
    returned results are rows of the sweep's table; `outcome` says why. Objectives given here replace those of the
    [sweep] table, conditions replace its `require`.

    Raises BskernelError if the sweep cannot be read, or for a metric that no point has.
    """
    from pathlib import Path

    from bskernel.sweeps.analysis.analysis import results_of
    from bskernel.sweeps.results.sweep_file import read_sweep

    finished = read_sweep(Path(sweep)) if isinstance(sweep, str | Path) else sweep
    return results_of(finished.table, finished.goals.instead(maximize, minimize, require))


def diff(
    base: str | Path,
    new: str | Path,
    *,
    gates: Sequence[str | Gate] = (),
    missing: Missing = "fail",
    fail_if_artifacts_differ: bool = False,
) -> Comparison:
    """Compare two builds and check gates. A failed gate is a verdict, not an exception.

    `base` and `new` are build directories, or their result.json. A gate is a condition that must not be true, e.g.
    "throughput < 0.98 * base". `missing` ("fail" or "ignore") is the verdict for a gate when one of its numbers is
    missing. `fail_if_artifacts_differ` adds a gate on the bytes of all steps' outputs.

    Raises BskernelError if a build cannot be read, or if a gate is not a valid condition.
    """
    from pathlib import Path

    from bskernel.result.comparison import Gate
    from bskernel.result.diff import diff as compare

    conditions = [Gate(fail_if=gate) if isinstance(gate, str) else gate for gate in gates]
    return compare(
        Path(base),
        Path(new),
        gates=conditions,
        missing=missing,
        fail_if_artifacts_differ=fail_if_artifacts_differ,
    )
