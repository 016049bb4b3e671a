"""`bskernel explain`: a failure, or one step of a build."""

from __future__ import annotations

from pathlib import Path

import click

from bskernel.cli.build_argument import build_and_step
from bskernel.cli.candidates import complete_build_or_step, complete_build_step
from bskernel.cli.options import JSON, PATH
from bskernel.cli.output import print_note, print_result


@click.command()
@click.argument("build", type=PATH, required=False, shell_complete=complete_build_or_step)
@click.argument("step", required=False, shell_complete=complete_build_step)
@JSON
def explain(build: Path | None, step: str | None, as_json: bool) -> None:
    """Explain a failure, or describe one step of a build.

    BUILD is a build directory, by default that of the current folder's build.toml; STEP is a name or an index.
    Without STEP, explains the step that failed, or lists all steps if none failed.
    """
    from bskernel.report.explanation import describe_explanation, describe_steps
    from bskernel.result import explanation
    from bskernel.result.build_result import BuildResult
    from bskernel.result.integrity import find_altered
    from bskernel.result.result_file import read_result

    directory, step = build_and_step(build, step)
    result = read_result(directory, BuildResult)
    if step is None and result.failed_step is None:
        print_result(result, describe_steps, as_json=as_json)
        for line in find_altered(directory):
            print_note(f"changed since the build: {line}")
    else:
        print_result(explanation.explain(directory, step), describe_explanation, as_json=as_json)
