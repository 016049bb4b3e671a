"""The options that commands share, each defined once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bskernel.cli.candidates import complete_cluster, complete_config, complete_flow_step, complete_setting
from bskernel.cli.units import duration
from bskernel.core.stages import INPUT_TYPES, OUTPUT_TYPES

if TYPE_CHECKING:
    from bskernel.flow.selection import RangeRequest
    from bskernel.workspace.build_options import BuildOptions

Command = Callable[..., None]
Decorator = Callable[[Command], Command]

PATH = click.Path(path_type=Path)
_STEP = "a name, an index (-1 is the last) or EXECUTOR:ENTRY"


def _config_or_found(context: click.Context, _: click.Parameter, given: Path | None) -> Path | None:
    if given is not None or context.resilient_parsing:
        return given
    from bskernel.workspace.project_folder import SWEEP_CONFIG, find_config

    return find_config(*([SWEEP_CONFIG] if context.info_name == "sweep" else []))


CONFIG = click.argument(
    "config", type=PATH, required=False, callback=_config_or_found, shell_complete=complete_config
)
FROM = click.option(
    "--from", "first", metavar="STEP", shell_complete=complete_flow_step, help=f"First step: {_STEP}."
)
TO = click.option("--to", "last", metavar="STEP", shell_complete=complete_flow_step, help=f"Last step: {_STEP}.")
INPUT_TYPE = click.option(
    "--input-type", type=click.Choice(INPUT_TYPES), help="Start at the first step that takes a model at this stage."
)
OUTPUT_TYPE = click.option(
    "--output-type",
    type=click.Choice(OUTPUT_TYPES),
    help="Stop after the last step that leaves the model at this stage.",
)
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=complete_setting,
    help="Override a key of the configuration, e.g. --set target.target_fps=50000 --set build.flow=rtl. Repeatable.",
)
MAXIMIZE = click.option(
    "--maximize", multiple=True, metavar="METRIC", help="Objective to maximize, e.g. throughput. Repeatable."
)
MINIMIZE = click.option(
    "--minimize", multiple=True, metavar="METRIC", help="Objective to minimize, e.g. LUT@synth. Repeatable."
)
REQUIRE = click.option(
    "--require",
    multiple=True,
    metavar="CONDITION",
    help="Condition that points must satisfy, e.g. 'utilization.LUT < 0.8'. Repeatable.",
)
OUTPUT = click.option(
    "--output",
    type=PATH,
    metavar="DIR",
    help="Output directory, e.g. --output build/slow. Default: build/NAME, or build/NAME-sweep.",
)
RUNTIME = click.option(
    "--runtime",
    type=click.Choice(["auto", "docker", "process"]),
    default="auto",
    envvar="BSKERNEL_RUNTIME",
    show_default=True,
    show_envvar=True,
    help="Where executors run: in containers or in virtual environments. auto uses docker if an engine is running.",
)
JOBS = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    help="Number of steps that run at once. Default: limits.jobs, or else one per processor.",
)
FRESH = click.option("--fresh", is_flag=True, help="Run every step, even if its result is cached.")
KEEP_WARM = click.option(
    "--keep-warm",
    "keep_s",
    type=duration,
    metavar="TIME",
    help="Keep executor sessions warm after the build; stop them after TIME idle, e.g. 10m.",
)
CLUSTER = click.option(
    "--cluster",
    metavar="WHERE",
    shell_complete=complete_cluster,
    help="Run steps on Dask workers: local:N (on this machine), tcp://HOST:PORT (a scheduler), slurm, lsf or pbs.",
)
VERBOSE = click.option(
    "-v", "--verbose", is_flag=True, help="Show the log and what the steps print, instead of a progress bar."
)
QUIET = click.option(
    "-q", "--quiet", is_flag=True, help="Show only warnings, errors and, as the last line, where the results are."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
JUNIT = click.option(
    "--junit", type=PATH, metavar="FILE", help="Write how steps, or a sweep's points, ended as JUnit XML."
)
OUTPUT_FILE = click.option("--output", type=PATH, metavar="FILE", help="File to write.")


class BuildSelection(NamedTuple):
    """Which configuration to build, which part of its flow, and where to."""

    config: Path
    first: str | None
    last: str | None
    input_type: str | None
    output_type: str | None
    settings: tuple[str, ...]
    output: Path | None

    def range_request(self) -> RangeRequest:
        """Return the part of the flow, as the plan takes it."""
        from bskernel.flow.selection import RangeRequest

        return RangeRequest(
            first=self.first, last=self.last, input_type=self.input_type, output_type=self.output_type
        )


class RunSelection(NamedTuple):
    """How the steps run."""

    runtime: str
    jobs: int | None
    fresh: bool
    keep_s: float | None
    cluster: str | None
    verbose: bool
    quiet: bool

    def build_options(self) -> BuildOptions:
        """Return them as builds and sweeps take them. Raises ConfigError for options that exclude each other."""
        from bskernel.core.errors import ConfigError
        from bskernel.workspace.build_options import BuildOptions

        if self.verbose and self.quiet:
            raise ConfigError("--verbose and --quiet: give one of them")
        return BuildOptions(runtime=self.runtime, fresh=self.fresh, keep_s=self.keep_s, cluster=self.cluster)


def _grouped(argument: str, group: type[NamedTuple], decorators: Sequence[Decorator]) -> Decorator:
    """Give a command several options; it gets their values as one argument."""

    def decorate(command: Command) -> Command:
        def call(**values: Any) -> None:
            own = [values.pop(name) for name in group._fields]
            command(**{argument: group._make(own)}, **values)

        wrapped: Command = functools.wraps(command)(call)
        for decorator in reversed(decorators):
            wrapped = decorator(wrapped)
        return wrapped

    return decorate


build_selection = _grouped("selection", BuildSelection, (CONFIG, FROM, TO, INPUT_TYPE, OUTPUT_TYPE, SET, OUTPUT))
run_selection = _grouped("running", RunSelection, (RUNTIME, JOBS, FRESH, KEEP_WARM, CLUSTER, VERBOSE, QUIET))
