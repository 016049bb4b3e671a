"""`bskernel diff`: two builds side by side, and gates for CI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.build_argument import or_found_build
from bskernel.cli.candidates import complete_build
from bskernel.cli.ci_service import announce_gates
from bskernel.cli.options import OUTPUT_FILE, PATH
from bskernel.cli.output import echo, print_note, write_text
from bskernel.core.errors import EXIT_GATE, ConfigError

if TYPE_CHECKING:
    from bskernel.result.comparison import Comparison
    from bskernel.result.comparison.gates import Missing


@click.command()
@click.argument("base", metavar="A", type=PATH, shell_complete=complete_build)
@click.argument("new", metavar="[B]", type=PATH, required=False, shell_complete=complete_build)
@click.option(
    "--fail-if",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    help="Fail (exit code 5) if this condition is true, e.g. 'throughput < 0.98 * base'. Repeatable.",
)
@click.option(
    "--gates", "gate_file", metavar="FILE", type=PATH, help="TOML file of [[gate]] tables: fail_if, name, reason."
)
@click.option(
    "--fail-if-artifacts-differ",
    is_flag=True,
    help="Fail (exit code 5) if a step's output differs in a byte, or only one build has it.",
)
@click.option(
    "--missing",
    type=click.Choice(["fail", "ignore"]),
    default="fail",
    show_default=True,
    help="Verdict for a gate when one of its numbers is missing.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "junit"]),
    default="text",
    show_default=True,
    help="markdown suits a review comment; junit reports each gate as a test case.",
)
@OUTPUT_FILE
def diff(
    base: Path,
    new: Path | None,
    conditions: tuple[str, ...],
    gate_file: Path | None,
    fail_if_artifacts_differ: bool,
    missing: Missing,
    form: str,
    output: Path | None,
) -> None:
    """Compare two builds, and check gates for CI.

    A is the base, B the new build, by default that of the current folder's build.toml: each is a build directory or
    its result.json. Shows differences of configuration,
    executors, steps and metrics, on standard output or in the file of --output.

    A gate is a condition on metrics that must not be true:

    \b
      throughput < 0.98 * base            base is the same metric in A
      LUT@synth > base + 500              at a given stage; LUT is resources.LUT
      power / throughput > 1.1 * base.power / base.throughput
      not slack@routed >= 0 or accuracy@measured < base - 0.01

    Without @STAGE, both sides are taken at the latest stage that both builds have; a metric of one side alone, at the
    latest stage of that side. Stages are estimate, hls, rtlsim, synth, routed and measured.

    Exit codes: 0 no gate failed, 2 wrong usage or unreadable build, 5 a gate failed or could not be checked.
    """
    from bskernel.result.comparison import Gate
    from bskernel.result.diff import diff as compare
    from bskernel.result.diff import read_gates

    gates = [*(read_gates(gate_file) if gate_file else ()), *(Gate(fail_if=text) for text in conditions)]
    if form == "junit" and not gates and not fail_if_artifacts_differ:
        hint = "give --fail-if, --gates or --fail-if-artifacts-differ"
        raise ConfigError("--format junit needs at least one gate", hint=hint)
    comparison = compare(
        or_found_build(base),
        or_found_build(new),
        gates=gates,
        missing=missing,
        fail_if_artifacts_differ=fail_if_artifacts_differ,
    )
    text = _render(comparison, form)
    if output is None:
        echo(text, nl=False)
    else:
        write_text(output, text)
        for verdict in comparison.gates:
            if verdict.fails:
                print_note(f"gate {verdict.gate.title}: {verdict.status}: {verdict.text}")
    announce_gates(comparison)
    if comparison.failed:
        sys.exit(EXIT_GATE)


def _render(comparison: Comparison, form: str) -> str:
    from bskernel.report.diff_text import as_json, as_markdown, as_text
    from bskernel.report.junit import as_junit

    forms = {"text": as_text, "markdown": as_markdown, "json": as_json, "junit": as_junit}
    return forms[form](comparison)
