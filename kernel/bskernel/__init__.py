"""bskernel builds FPGA accelerators from quantized neural networks, each step in a pinned executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bskernel.comparison import Comparison, Gate
    from bskernel.comparison.gates import Missing
    from bskernel.result import BuildResult

__all__ = ["diff", "run"]


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
) -> BuildResult:
    """Build what a build.toml says and return what became of it; a failed step is a result, not an exception.

    `first` and `last` select steps as --from and --to do; `input_type` and `output_type` are stages of the model to
    begin and to end with. They count before the configuration's [flow] table.
    `settings` are assignments as in `--set`, e.g. "target.target_fps=50000". `jobs` steps run at once; without, as
    many as the configuration says or there are processors. Raises bskernel.errors.BskernelError when the build cannot
    begin; KeyboardInterrupt when it was interrupted, after what is finished was written.
    """
    from pathlib import Path

    from bskernel.application import Application
    from bskernel.report.terminal import Silent
    from bskernel.selection import Wish

    application = Application.here()
    wish = Wish(first=first, last=last, input_type=input_type, output_type=output_type)
    settings = (*settings, *([f"limits.jobs={jobs}"] if jobs is not None else []))
    prepared = application.prepare(Path(config), settings=settings, wish=wish, output=output)
    result = application.build(prepared, runtime=runtime, observer=Silent())
    if result.status == "interrupted":
        # Who calls this as a library must not go on as if nobody had asked to stop.
        raise KeyboardInterrupt
    return result


def diff(
    base: str | Path, new: str | Path, *, gates: Sequence[str | Gate] = (), missing: Missing = "fail"
) -> Comparison:
    """Compare two builds, each a build directory or its result.json, and judge gates; a failed gate is a verdict.

    A gate is a condition that must not hold, e.g. "throughput < 0.98 * base". Raises bskernel.errors.BskernelError
    when a build cannot be read or a gate is no condition.
    """
    from pathlib import Path

    from bskernel import kept_build
    from bskernel.comparison import Gate

    given = [Gate(fail_if=gate) if isinstance(gate, str) else gate for gate in gates]
    return kept_build.diff(Path(base), Path(new), gates=given, missing=missing)
