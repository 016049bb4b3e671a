"""`bskernel calibrate`: what the layers of a network take, measured, for later builds to learn from."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bskernel.cli.conclusion import INTERRUPTED
from bskernel.cli.options import CONFIG, JSON, PATH, SET, RunSelection, run_selection
from bskernel.cli.output import echo, print_note, print_result, require_writable, write_text


@click.command()
@CONFIG
@click.option(
    "--output", type=PATH, metavar="FILE", default="cost_samples.json", show_default=True, help="The file to write."
)
@click.option(
    "--collection",
    "flow",
    metavar="FLOW",
    help="The flow whose [collection] is built, by default calibrate; of flows ecp5 and ice40 calibrate-lattice.",
)
@SET
@run_selection
@JSON
def calibrate(
    config: Path, output: Path, flow: str | None, settings: tuple[str, ...], running: RunSelection, as_json: bool
) -> None:
    """Measure what layers take, for the folding to learn from.

    The layers of CONFIG's network are synthesised at many foldings, and FILE gets what each takes. The builds are
    points of an ordinary sweep, in build/NAME-calibrate: each layer is synthesised once and cached. A build learns
    from the file if it names it: [step.optimize_folding] inputs.cost_samples = "cost_samples.json".
    """
    from bskernel.cli.sweep import make_observer
    from bskernel.config.assignments import with_jobs
    from bskernel.sweeps.execution.preparation import prepare_collection
    from bskernel.sweeps.execution.sweep import run_sweep
    from bskernel.sweeps.report.text import effort_text
    from bskernel.sweeps.results.collected_file import collect_files
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    prepared, collection = prepare_collection(workspace, config, flow, settings=with_jobs(settings, running.jobs))
    loaded = prepared.loaded
    place = loaded.folder / "build" / f"{loaded.name}-{loaded.config.build.flow}"
    require_writable(output)  # before hours of synthesis, not after
    observer = make_observer(running, workspace.cache, loaded.name)
    result = run_sweep(workspace, prepared, observer, output=place, options=running.build_options())
    found = collect_files(result.table.rows, collection.result)
    if any(found.items.values()) and result.status != "interrupted":
        write_text(output, found.text)
        if not as_json and not running.quiet:
            for key, items in found.items.items():
                echo(f"{output}: {len(items)} {key} of {len(result.table.rows) - len(found.lacking)} builds")
    if found.lacking:
        print_note(f"without {collection.result}: {', '.join(found.lacking)}")
    print_result(result, effort_text, as_json=as_json)
    if result.status == "interrupted":
        print_note(INTERRUPTED)
    sys.exit(result.exit_code)
