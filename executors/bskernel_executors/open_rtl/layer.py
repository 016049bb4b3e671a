"""What all layers of the library share: FINN's view of them, and how their Verilog is written."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from finn.util.data_packing import pack_innermost_dim_as_hex_string
from finn.util.exception import FINNUserError

from bskernel_executors.open_rtl.wrapper import StreamPort, write_wrapper

HDL = Path(__file__).with_name("hdl")
BRAM_BITS = 18 * 1024
Range = tuple[int, int]
UNSIGNED, SIGNED, BIPOLAR = range(3)  # KIND of bsk_extend.sv


def find_kind(datatype: Any) -> int:
    """Return how the bits of an integer data type are read."""
    if datatype.name == "BIPOLAR":
        return BIPOLAR
    return SIGNED if datatype.signed() else UNSIGNED


def count_bits(low: int, high: int) -> int:
    """Count the bits of the smallest signed number that holds low to high."""
    return max((-low - 1).bit_length() if low < 0 else 0, int(high).bit_length()) + 1


def find_bounds(datatype: Any) -> Range:
    """Return the least and the greatest value of an integer data type."""
    return int(datatype.min()), int(datatype.max())


def write_memory(path: Path, words: Any, datatype: Any) -> None:
    """Write words, of shape (words, values), for $readmemh: the first value in the lowest bits."""
    digits = -(-words.shape[1] * datatype.bitwidth() // 4) * 4
    lines = pack_innermost_dim_as_hex_string(words, datatype, digits, reverse_inner=True, prefix="")
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Estimated resources of a layer. `bits` are those that its block RAM holds."""

    lut: int = 0
    bram: int = 0
    dsp: int = 0
    bits: int = 0


class OpenLayer(RTLBackend):  # type: ignore[misc] # FINN has no types
    """A layer in SystemVerilog of the library; the second base of a layer is FINN's class of the operator.

    Shapes, folding, data types and execution in Python are those of FINN's operator. FINN's binding of Vivado's
    simulator works too, since ports and packing are FINN's.
    """

    operator: ClassVar[str]  # FINN's name of the operator
    sources: ClassVar[tuple[str, ...]]  # files of hdl/

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:  # noqa: ARG003 - most layers refuse something
        """Return why the library cannot implement a layer of FINN's operator, or None."""
        return None

    @abstractmethod
    def write_body(self, model: Any, folder: Path) -> str:
        """Return the body of the layer's module, which connects its streams; write memories to `folder`."""

    def estimate(self) -> Resources | None:
        """Estimate what the layer takes of the device; None leaves it to FINN's estimates of the operator."""
        return None

    def lut_estimation(self, fpgapart: str) -> int:
        """Return the estimated LUTs."""
        found = self.estimate()
        return int(super().lut_estimation(fpgapart)) if found is None else found.lut

    def bram_estimation(self, fpgapart: str) -> int:
        """Return the estimated BRAM_18K."""
        found = self.estimate()
        return int(super().bram_estimation(fpgapart)) if found is None else found.bram

    def dsp_estimation(self, fpgapart: str) -> int:
        """Return the estimated DSPs."""
        found = self.estimate()
        return int(super().dsp_estimation(fpgapart)) if found is None else found.dsp

    def uram_estimation(self, fpgapart: str) -> int:
        """Return the estimated URAMs: no memory of the library asks for them."""
        return int(super().uram_estimation(fpgapart)) if self.estimate() is None else 0

    def bram_efficiency_estimation(self, fpgapart: str) -> float:
        """Return the used share of the estimated BRAM_18K, 1 without any."""
        found = self.estimate()
        if found is None:
            return float(super().bram_efficiency_estimation(fpgapart))
        return found.bits / (found.bram * BRAM_BITS) if found.bram else 1

    def uram_efficiency_estimation(self, fpgapart: str) -> float:
        """Return the used share of the estimated URAMs, 1 without any."""
        return float(super().uram_efficiency_estimation(fpgapart)) if self.estimate() is None else 1

    def list_ports(self) -> tuple[StreamPort, ...]:
        """List the streams of the layer."""
        node = self.onnx_node
        ins = ((f"in{at}", int(self.get_instream_width(at))) for at in range(len(node.input)))
        outs = ((f"out{at}", int(self.get_outstream_width(at))) for at in range(len(node.output)))
        return tuple(StreamPort(name=name, bits=bits) for name, bits in (*ins, *outs) if bits)

    def generate_hdl(self, model: Any, fpgapart: str, clk: float) -> None:  # noqa: ARG002
        """Write the layer's module into code_gen_dir_ipgen.

        Raises FINNUserError for a layer that the library cannot implement: types can change after the selection.
        """
        refusal = self.find_refusal(self)
        if refusal is not None:
            raise FINNUserError(f"{self.onnx_node.name} ({self.onnx_node.op_type}) cannot be RTL, because {refusal}")
        folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
        top = self.get_verilog_top_module_name()
        text = write_wrapper(top, self.list_ports(), self.write_body(model, folder))
        (folder / f"{top}.v").write_text(text, encoding="utf-8")
        for name, value in (("gen_top_module", top), ("ipgen_path", str(folder)), ("ip_path", str(folder))):
            self.set_nodeattr(name, value)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """List the library's files that the layer needs, and its own module."""
        folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
        files = [*(HDL / name for name in self.sources), folder / f"{self.get_nodeattr('gen_top_module')}.v"]
        return [str(path) if abspath else path.name for path in files]

    def code_generation_ipi(self) -> list[str]:
        """Return the Tcl that adds the layer to a block design of Vivado."""
        top = self.get_nodeattr("gen_top_module")
        files = [f"add_files -norecurse {path}" for path in self.get_rtl_file_list(abspath=True)]
        return [*files, f"create_bd_cell -type module -reference {top} {self.onnx_node.name}"]

    def execute_node(self, context: Any, graph: Any) -> None:
        """Execute the operator as FINN does; in FINN's mode rtlsim, simulate its module with Vivado."""
        simulated = self.get_nodeattr("exec_mode") == "rtlsim"
        above: Any = super() if simulated else super(RTLBackend, self)
        above.execute_node(context, graph)
