"""Lays out a folder that looks like an install of Vivado and holds the stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
REPORTS = HERE.parent / "executors" / "reports"
Layout = Literal["VERSION below Vivado", "Vivado below VERSION"]
_WRAPPER = """#!/bin/sh
# A STAND-IN for Vivado, for tests: it synthesises nothing.
here=$(dirname "$(readlink -f "$0")")
if [ "$1" = "-version" ]; then
  echo "Vivado STAND-IN v{version} (64-bit)"
  echo "SW Build {build} on no day"
  exit 0
fi
export STAND_IN_VERSION={version} STAND_IN_BUILD={build} PYTHONPATH="$here/../lib"
exec python3 -B -m vivado_stand_in.stand_in "$@"
"""
_HLS_WRAPPER = """#!/bin/sh
# A STAND-IN for Vitis HLS, for tests: it synthesises nothing.
here=$(dirname "$(readlink -f "$0")")
if [ "$1" = "-version" ]; then
  echo "****** Vitis HLS STAND-IN - High-Level Synthesis from C v{version} (64-bit)"
  echo "  **** SW Build {build} on no day"
  exit 0
fi
export STAND_IN_VERSION={version} STAND_IN_BUILD={build} PYTHONPATH="$here/../lib"
exec python3 -B -m vivado_stand_in.hls "$@"
"""
_RECORDED = {
    "synthesized.rpt": "2020.1_zynq7020_hls4ml_vivado_synth.rpt",
    "routed.rpt": "2019.2_kintexusp_picorv32_utilization_placed.rpt",
    "routed_7series.rpt": "2019.2_artix7_picorv32_utilization_placed.rpt",
    "timing.rpt": "artix7_timing_summary.rpt",
    "power.rpt": "2019.1_zynq7010_redpitaya_power_routed.rpt",
}


def _lay_out(folder: Path, behaviour: str) -> None:
    """The stand-in itself, and how it is to end."""
    (folder / "vivado_stand_in").mkdir()
    for source in HERE.glob("*.py"):
        (folder / "vivado_stand_in" / source.name).write_bytes(source.read_bytes())
    (folder / "behaviour").write_text(behaviour)


def make_install(
    root: Path,
    version: str = "2024.2",
    *,
    build: str = "1000001",
    behaviour: str = "met",
    layout: Layout = "VERSION below Vivado",
) -> Path:
    """An install below `root`; the folder that holds its bin."""
    install = root / "Vivado" / version if layout == "VERSION below Vivado" else root / version / "Vivado"
    for folder in ("bin", "lib", "data"):
        (install / folder).mkdir(parents=True)
    program = install / "bin" / "vivado"
    program.write_text(_WRAPPER.format(version=version, build=build))
    program.chmod(0o755)
    _lay_out(install / "lib", behaviour)
    for name, source in _RECORDED.items():
        (install / "data" / name).write_bytes((REPORTS / source).read_bytes())
    return install


def make_hls_install(root: Path, version: str = "2024.2", *, build: str = "1000002", behaviour: str = "met") -> Path:
    """What looks like an install of Vitis HLS below `root`."""
    install = root / "Vitis_HLS" / version
    for folder in ("bin", "lib"):
        (install / folder).mkdir(parents=True)
    program = install / "bin" / "vitis_hls"
    program.write_text(_HLS_WRAPPER.format(version=version, build=build))
    program.chmod(0o755)
    _lay_out(install / "lib", behaviour)
    return install


def make_dependencies(folder: Path) -> Path:
    """What FINN+ would have downloaded, as far as the stand-in looks at it: headers' names, a board's name."""
    (folder / "finn-hlslib").mkdir(parents=True)
    for name in ("activations.hpp", "bnn-library.h", "dma.h", "mvau.hpp", "streamtools.h", "weights.hpp"):
        (folder / "finn-hlslib" / name).write_text("// STAND-IN: no header of finn-hlslib\n")
    (folder / "attention-hlslib").mkdir()
    (folder / "attention-hlslib" / "flatten.hpp").write_text("// STAND-IN: no header of attention-hlslib\n")
    board = folder / "board_files" / "pynq-z1" / "A.0"
    board.mkdir(parents=True)
    (board / "board.xml").write_text('<!-- STAND-IN: no board file -->\n<board vendor="none" name="pynq-z1"/>\n')
    return folder
