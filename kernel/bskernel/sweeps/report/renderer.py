"""Plots of a sweep as SVG and PNG. The only module that imports the plotting library.

vl-convert holds Vega-Lite and a renderer, so that neither a browser nor a network is needed. Equal sweeps give equal
bytes with equal versions of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.visible_text import visible
from bskernel.sweeps.analysis.analysis_types import Outcome
from bskernel.sweeps.analysis.table import SweepTable
from bskernel.sweeps.plots.parallel import parallel
from bskernel.sweeps.plots.plot_data import Spec
from bskernel.sweeps.plots.scatter import scatter


def write_plots(table: SweepTable, outcome: Outcome, folder: Path) -> tuple[Path, ...]:
    """Write pareto (with two objectives or more) and parallel as .svg and .png; returns the files.

    Raises EnvironmentLacking without the library, ConfigError when there is nothing to draw or it cannot be written.
    """
    try:
        import vl_convert
    except ImportError:
        raise EnvironmentLacking("plots need vl-convert-python", hint="pip install 'bskernel[plots]'") from None
    if not outcome.objectives:
        raise ConfigError("nothing to plot: no objective", hint="give --maximize or --minimize")
    if not outcome.points:
        raise ConfigError("nothing to plot: no points to compare")
    specs = {"pareto": scatter(table, outcome)} if len(outcome.objectives) > 1 else {}
    specs["parallel"] = parallel(table, outcome)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, spec in specs.items():
            for suffix, data in _rendered(vl_convert, spec).items():
                path = folder / f"{name}.{suffix}"
                path.unlink(missing_ok=True)  # a link could lead to any file
                path.write_bytes(data)
                written.append(path)
    except OSError as error:
        raise ConfigError(f"{folder}: not writable: {error.strerror}") from error
    return tuple(written)


def _rendered(vl_convert: Any, spec: Spec) -> dict[str, bytes]:
    text = json.dumps(spec, ensure_ascii=True, sort_keys=True)
    svg = visible(vl_convert.vegalite_to_svg(text))
    return {"svg": svg.encode(), "png": vl_convert.svg_to_png(svg, scale=2)}
