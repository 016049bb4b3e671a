"""design.json of a design whose streams nobody looks at."""

from pathlib import Path

from bskernel_executors.exchange.design import DESIGN, Design, StreamFormat
from bskernel_protocol import pretty_json

STREAM = StreamFormat(width=8, beats=1, parallel=1, bits=8, signed=False, datatype="UINT8", shape=(1,))


def write_design(folder: Path, *layers: str) -> None:
    """Describe a design of the one source top.sv."""
    design = Design(
        sources=("top.sv",), input=STREAM, output=STREAM, layers=layers, fifos=(), streams=(), estimated_cycles=1
    )
    (folder / DESIGN).write_text(pretty_json(design))
