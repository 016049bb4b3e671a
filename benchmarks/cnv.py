"""Draws CNV 1W2A into a folder, in its full width; runs in the environment of an executor that has onnx.

The layers are those of examples/cnv/draw.py, four times as wide and with bipolar weights. Nothing is trained.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "cnv"


def load_draw() -> Any:
    """The module that draws the example."""
    specification = importlib.util.spec_from_file_location("draw", FOLDER / "draw.py")
    if specification is None or specification.loader is None:
        raise ImportError(f"{FOLDER / 'draw.py'} cannot be imported")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def bipolar_weights(graph: Any, *shape: int) -> str:
    """Add weights of -1 and 1."""
    values = graph.constant(draw.RANDOM.choice(np.array([-1, 1]), shape))
    return str(graph.add("BipolarQuant", values, graph.constant(1), domain=draw.QONNX))


draw = load_draw()
draw.Graph.weights = bipolar_weights
draw.CONVOLUTIONS = tuple(
    pair and tuple(width if width == 3 else 4 * width for width in pair) for pair in draw.CONVOLUTIONS
)
draw.DENSE = ((256, 512), (512, 512), (512, 10))
draw.save = lambda model, _: Path(sys.argv[1]).write_bytes(model.SerializeToString())
draw.main()
