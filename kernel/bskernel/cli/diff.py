"""`bskernel diff`: two builds side by side, and gates for CI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.core.errors import EXIT_GATE, ConfigError

if TYPE_CHECKING:
    from bskernel.result.comparison import Comparison
    from bskernel.result.comparison.gates import Missing

_BUILD = click.Path(path_type=Path)


@click.command()
@click.argument("base", metavar="A", type=_BUILD)
@click.argument("new", metavar="B", type=_BUILD)
@click.option("--fail-if", "conditions", multiple=True, metavar="CONDITION", help="A gate: what must not be so.")
@click.option("--gates", "gate_file", metavar="FILE", type=_BUILD, help="[[gate]] tables: fail_if, name, reason.")
@click.option(
    "--missing",
    type=click.Choice(["fail", "ignore"]),
    default="fail",
    show_default=True,
    help="What a gate comes to that cannot be judged, since a number of it is absent.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "junit"]),
    default="text",
    show_default=True,
    help="markdown for a comment on a change, junit for CI's view of tests: a gate is a test.",
)
@click.option("--output", type=_BUILD, metavar="FILE", help="Write there instead of to standard output.")
def diff(
    base: Path,
    new: Path,
    conditions: tuple[str, ...],
    gate_file: Path | None,
    missing: Missing,
    form: str,
    output: Path | None,
) -> None:
    """Compare build B with its base A: each a build directory, or its result.json.

    Shows configuration, executors, steps, metrics. A gate compares sums, products and so on of quantities:

    \b
      throughput < 0.98 * base            base is the same quantity in A
      LUT@synth > base + 500              at this stage; resources.LUT in full
      power / throughput > 1.1 * base.power / base.throughput
      not slack@routed >= 0 or accuracy@measured < base - 0.01

    Without @STAGE both sides are taken at the latest stage that both builds have (a quantity of which only one side
    is named, at that side's latest); stages are estimate, hls, rtlsim, synth, routed, measured.

    Exit codes: 0 no gate failed, 2 usage or a build that cannot be read, 5 a gate failed or cannot be judged.
    """
    from bskernel.result.comparison import Gate
    from bskernel.result.diff import diff as compare
    from bskernel.result.diff import read_gates

    gates = [*(read_gates(gate_file) if gate_file else ()), *(Gate(fail_if=text) for text in conditions)]
    if form == "junit" and not gates:
        raise ConfigError("--format junit reports gates, and there is none", hint="give --fail-if or --gates")
    comparison = compare(base, new, gates=gates, missing=missing)
    text = _render(comparison, form)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)
        for verdict in comparison.gates:
            if verdict.fails:
                click.echo(f"gate {verdict.gate.title}: {verdict.status}: {verdict.text}", err=True)
    if comparison.failed:
        sys.exit(EXIT_GATE)


def _render(comparison: Comparison, form: str) -> str:
    from bskernel.report.diff_text import as_json, as_markdown, as_text
    from bskernel.report.junit import as_junit

    forms = {"text": as_text, "markdown": as_markdown, "json": as_json, "junit": as_junit}
    return forms[form](comparison)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
