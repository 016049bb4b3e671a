"""A file that does not fit its shape is refused with its name, the key, and what is expected there."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel_executors.exchange.bit_widths import read_bit_widths
from bskernel_executors.exchange.design import SMALLEST_FIFO, read_design
from bskernel_executors.exchange.evaluation import read_evaluation
from bskernel_executors.exchange.fifo_config import read_fifo_depths
from bskernel_executors.exchange.report_makers import read_makers
from bskernel_executors.exchange.simulation import read_simulation
from bskernel_executors.exchange.synthesis import (
    CellSynthesis,
    TimedSynthesis,
    read_implementation,
    read_synthesis,
)
from bskernel_executors.sdk import StepFailure

GOLDEN = Path(__file__).parents[1] / "golden"
# Golden file -> (name in the step's folder, reader of that file or of the folder around it).
READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "bit_widths.json": ("bit_widths", read_bit_widths),
    "design.json": ("rtl/design.json", lambda path: read_design(path.parent)),
    "evaluation.json": ("evaluation/evaluation.json", lambda path: read_evaluation(path.parent)),
    "fifo_config.json": ("fifo_config", read_fifo_depths),
    "implementation.json": ("implementation", read_implementation),
    "made_by.json": ("report/made_by.json", lambda path: read_makers(path.parent)),
    "simulation.json": ("simulation", read_simulation),
    "synthesis-vivado.json": ("synthesis", read_synthesis),
    "synthesis-yosys.json": ("synthesis", read_synthesis),
}


def put(folder: Path, golden: str, change: Callable[[Any], None] | None = None) -> Path:
    path = folder / READERS[golden][0]
    path.parent.mkdir(exist_ok=True)
    data = msgspec.json.decode((GOLDEN / golden).read_bytes())
    if change is not None:
        change(data)
    path.write_bytes(msgspec.json.encode(data))
    return path


def failure(golden: str, path: Path) -> StepFailure:
    with pytest.raises(StepFailure) as caught:
        READERS[golden][1](path)
    return caught.value


@pytest.mark.parametrize("golden", sorted(READERS))
def test_what_is_written_can_be_read(golden: str, tmp_path: Path) -> None:
    assert READERS[golden][1](put(tmp_path, golden))


@pytest.mark.parametrize(
    ("golden", "change", "message", "hint"),
    [
        (
            "design.json",
            lambda data: data["fifos"][1].update(depth="deep"),
            "rtl/design.json: fifos[1].depth: expected `int`, got `str`",
            "finn-step:rtl-stitch",
        ),
        (
            "design.json",
            lambda data: data["input"].update(wide=8),
            "rtl/design.json: unknown key 'input.wide'",
            "expected keys of input: width, beats, parallel, bits, signed, datatype, shape",
        ),
        (
            "design.json",
            lambda data: data["fifos"][0].pop("name"),
            "rtl/design.json: missing key 'fifos[0].name'",
            "expected keys of fifos[0]: name, width, depth",
        ),
        (
            "design.json",
            lambda data: data.pop("layers"),
            "rtl/design.json: missing key 'layers'",
            "expected keys: top, sources, input, output, layers",
        ),
        (
            "simulation.json",
            lambda data: next(iter(data["streams"].values())).update(lost=1),
            "simulation.json: unknown key 'streams[...].lost'",
            "expected keys of streams[...]: moved, back_pressure, starved",
        ),
        (
            "evaluation.json",
            lambda data: data["stages"][1]["comparison"].update(mismatches=0.5),
            "evaluation/evaluation.json: stages[1].comparison.mismatches: expected `int`, got `float`",
            "evaluate",
        ),
        (
            "evaluation.json",
            lambda data: data["stages"][1]["comparison"].pop("frames"),
            "evaluation/evaluation.json: missing key 'stages[1].comparison.frames'",
            "expected keys of stages[1].comparison: stage, by, frames",
        ),
        (
            "synthesis-yosys.json",
            lambda data: data["design"].update(LUT="many"),
            "synthesis.json: design[...]: expected `int`, got `str`",
            "yosys-synth",
        ),
        (
            "synthesis-vivado.json",
            lambda data: data.update(stage="routed"),
            "synthesis.json: stage: invalid enum value 'routed'",
            "vivado-synth:synthesize",
        ),
        (
            "implementation.json",
            lambda data: data.update(wns="0.5"),
            "implementation.json: unknown key 'wns'",
            "wns_ns, whs_ns",
        ),
        (
            "fifo_config.json",
            lambda data: data.pop("impl_style"),
            "fifo_config: missing key 'impl_style'",
            "expected keys: fifo_depths, impl_style, ram_style",
        ),
        (
            "fifo_config.json",
            lambda data: data["ram_style"].clear(),
            "fifo_config: ram_style lacks the FIFO 'StreamingFIFO_rtl_0', which has a depth",
            "size_fifos",
        ),
        (
            "made_by.json",
            lambda data: data.update({"ooc_synth_and_timing.json": 7}),
            "report/made_by.json: [...]: expected `str`, got `int`",
            "finn-step",
        ),
        (
            "bit_widths.json",
            lambda data: data["layers"][0]["input"].update(bits=None),
            "bit_widths.json: layers[0].input.bits: expected `int`, got `null`",
            "qonnx-transform:bit_widths",
        ),
    ],
)
def test_an_error_names_the_file_the_key_and_what_is_expected(
    golden: str, change: Callable[[Any], None], message: str, hint: str, tmp_path: Path
) -> None:
    error = failure(golden, put(tmp_path, golden, change)).failure
    assert (error.message, error.category) == (message, "config")
    assert hint in str(error.hint)


@pytest.mark.parametrize("golden", sorted(READERS.keys() - {"made_by.json"}))
def test_a_file_that_is_missing_damaged_or_of_another_kind_is_named(golden: str, tmp_path: Path) -> None:
    path = put(tmp_path, golden)
    name = golden.replace("-yosys", "").replace("-vivado", "").removesuffix(".json")
    for damaged in (path.read_bytes()[:-9], b"[]", b"\xff", None):
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        assert name in failure(golden, path).failure.message


def test_the_category_is_that_of_the_reading_step(tmp_path: Path) -> None:
    with pytest.raises(StepFailure) as caught:
        read_simulation(tmp_path / "simulation", category="metrics")
    assert caught.value.failure.category == "metrics"


def test_a_synthesis_is_of_the_form_that_its_tool_writes(tmp_path: Path) -> None:
    assert isinstance(read_synthesis(put(tmp_path, "synthesis-yosys.json")), CellSynthesis)
    assert isinstance(read_synthesis(put(tmp_path, "synthesis-vivado.json")), TimedSynthesis)


def test_a_netlist_is_read_like_a_stitched_design_and_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "netlist").mkdir()
    shutil.copyfile(GOLDEN / "design-netlist.json", tmp_path / "netlist" / "design.json")
    design = read_design(tmp_path / "netlist")
    assert (design.fifos, design.streams, design.sources[-1]) == ((), (), "netlist.v")
    (tmp_path / "netlist" / "design.json").unlink()
    with pytest.raises(StepFailure, match=r"netlist/design\.json: the file cannot be read"):
        read_design(tmp_path / "netlist")


def test_a_fifo_holds_five_values_whether_or_not_the_design_says_so(tmp_path: Path) -> None:
    stated = read_design(put(tmp_path, "design.json").parent).smallest_fifo
    assumed = read_design(put(tmp_path, "design.json", lambda data: data.pop("smallest_fifo")).parent).smallest_fifo
    assert stated == assumed == SMALLEST_FIFO == 5


def test_reports_without_makers_have_none(tmp_path: Path) -> None:
    assert read_makers(tmp_path) == {}


def test_the_fifo_config_that_finn_writes_is_read_though_it_says_more(tmp_path: Path) -> None:
    def more(data: dict[str, Any]) -> None:
        data.update(fifo_sizes_effective={}, total_fifo_size_effective_kiB=0.1)

    assert read_fifo_depths(put(tmp_path, "fifo_config.json", more)).fifo_depths["StreamingFIFO_rtl_1"] == 9
