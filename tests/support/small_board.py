"""A small network's design behind a board's UART, simulated: sums of a frame's neighbours, with a bias."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from bskernel.report.terminal import describe_result
from bskernel.workspace.workspace import Workspace
from numpy.typing import NDArray

from support.builds import build_text

FRAMES, BEATS, CLASSES = 20, 6, 3
STREAMS = {
    "input": {
        "width": 8, "beats": BEATS, "parallel": 2, "bits": 3, "signed": True, "datatype": "INT3", "shape": [1, 12]
    },
    "output": {
        "width": 16, "beats": CLASSES, "parallel": 1, "bits": 9, "signed": True, "datatype": "INT9", "shape": [1, 3]
    },
}  # fmt: skip
# Value c of a result is the sum of the frame's beats c and c + 3, first values minus second ones, and a count of the
# frames since the reset, of which one too many or too few spoils all that follow.
TOP = """
module bskernel_top (
	input wire ap_clk, input wire ap_rst_n,
	input wire [7:0] in0_V_TDATA, input wire in0_V_TVALID, output wire in0_V_TREADY,
	output wire [15:0] out0_V_TDATA, output wire out0_V_TVALID, input wire out0_V_TREADY
);
	reg signed [8:0] sums [0:2];
	reg [8:0] frames;
	reg [3:0] beat, given;
	wire signed [2:0] first = in0_V_TDATA[2:0], second = in0_V_TDATA[5:3];
	wire taken = in0_V_TVALID && in0_V_TREADY, gives = out0_V_TVALID && out0_V_TREADY;
	assign in0_V_TREADY = ap_rst_n && beat != 6, out0_V_TVALID = ap_rst_n && beat == 6;
	wire [8:0] value = sums[given[1:0]] + frames;
	assign out0_V_TDATA = {7'h55, value};
	always @(posedge ap_clk) begin
		if (taken) begin
			sums[beat % 3] <= (beat < 3 ? 9'sd0 : sums[beat % 3]) + 9'(first) - 9'(second);
			beat <= beat + 1;
		end
		if (gives) begin
			given <= given + 1;
			if (given == 2) begin
				beat <= 0;
				given <= 0;
				frames <= frames + 1;
			end
		end
		if (!ap_rst_n) begin
			beat <= 0;
			given <= 0;
			frames <= 0;
		end
	end
endmodule
"""


def compute(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the design computes of frames of shape (N, 12), from the reset on."""
    sums = frames.reshape(-1, 2, CLASSES, 2) @ np.array([1, -1])
    values: NDArray[np.int64] = sums.sum(axis=1) + np.arange(len(frames))[:, None]
    return values


def build_board(workspace: Workspace, folder: Path, parameters: str = "") -> tuple[Path, str]:
    """Build the simulated board; return the build directory and what the terminal shows."""
    rtl, reference = folder / "rtl", folder / "reference"
    rtl.mkdir()
    reference.mkdir()
    (rtl / "top.sv").write_text(TOP)
    design = {"sources": ["top.sv"], "layers": [], "fifos": [], "streams": [], "estimated_cycles": 9, **STREAMS}
    (rtl / "design.json").write_text(json.dumps(design))
    frames = np.random.default_rng(3).integers(-4, 4, size=(FRAMES, 12))
    outputs = compute(frames)
    labels = outputs.argmax(axis=1)
    for name, data in {"inputs": frames, "outputs": outputs, "predictions": labels, "labels": labels}.items():
        np.save(reference / f"{name}.npy", data)
    # One of four labels is another one.
    np.save(reference / "labels.npy", np.where(np.arange(FRAMES) % 4 == 0, (labels + 1) % CLASSES, labels))
    result = build_text(
        workspace,
        folder,
        '[build]\nmodel = "number.txt"\nname = "small"\n[target]\nboard = "ULX3S-85F"\nclock_ns = 40.0\n'
        '[[step]]\nentry = "rtl-sim:compile_library"\n'
        f'[[step]]\nentry = "rtl-sim:wrap_board"\ninputs = {{ rtl = "rtl", reference = "reference" }}\n{parameters}'
        '[[step]]\nentry = "rtl-sim:compile_board"\n',
    )
    assert result.status == "ok", result.failure
    return folder / "out", describe_result(result)


@contextmanager
def simulate(build: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Switch the simulated board on; yield the name of its port and its process."""
    folder = build / "artifacts" / "board_simulator"
    with subprocess.Popen(
        [str(folder / "board"), "120"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()
