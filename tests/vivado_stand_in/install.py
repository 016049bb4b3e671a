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
STAND_IN_VERSION={version} STAND_IN_BUILD={build} exec python3 "$here/../lib/vivado_stand_in.py" "$@"
"""
_RECORDED = {
    "synthesized.rpt": "2020.1_zynq7020_hls4ml_vivado_synth.rpt",
    "routed.rpt": "2019.2_kintexusp_picorv32_utilization_placed.rpt",
    "timing.rpt": "artix7_timing_summary.rpt",
    "power.rpt": "2019.1_zynq7010_redpitaya_power_routed.rpt",
}


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
    (install / "lib" / "vivado_stand_in.py").write_bytes((HERE / "stand_in.py").read_bytes())
    (install / "lib" / "behaviour").write_text(behaviour)
    for name, source in _RECORDED.items():
        (install / "data" / name).write_bytes((REPORTS / source).read_bytes())
    return install


def make_hls_install(root: Path, version: str = "2024.2", *, build: str = "1000002") -> Path:
    """What looks like an install of Vitis HLS below `root`, and says its version alone."""
    install = root / "Vitis_HLS" / version
    (install / "bin").mkdir(parents=True)
    program = install / "bin" / "vitis_hls"
    text = f"****** Vitis HLS STAND-IN - High-Level Synthesis from C v{version} (64-bit)"
    program.write_text(
        "#!/bin/sh\n# A STAND-IN for Vitis HLS, for tests.\n"
        f'if [ "$1" = "-version" ]; then echo "{text}"; echo "  **** SW Build {build} on no day"; exit 0; fi\n'
        "echo 'ERROR: [HLS 200-70] STAND-IN: it synthesises nothing'; exit 1\n"
    )
    program.chmod(0o755)
    return install
