"""A memory lies where its ram_style asks, and takes as many RAMs as the costs of foldings say."""

import json
import math
import re
import subprocess
from pathlib import Path

import pytest
from bskernel.images import ensure_environment
from bskernel.workspace.workspace import Workspace
from bskernel_executors.dataflow.memories import count_blocks, count_constants, count_ultra
from bskernel_executors.yosys_synth.entries import has_ultra
from bskernel_executors.yosys_synth.memory_style import MemoryFacts, choose_kind
from support.paths import ROOT

WORKER = Path(__file__).parents[2] / "support" / "memory_worker.py"
WEIGHTS = MemoryFacts(is_written=False, has_contents=True, is_clocked=True)
BUFFER = MemoryFacts(is_written=True, has_contents=False, is_clocked=True)
Request = tuple[int, int, str, bool]  # words, bits, ram_style, is it written?


@pytest.mark.parametrize("name", ["RAM_STYLE", "ram_style", "Ram_Style"])
def test_the_case_of_the_attribute_does_not_matter(name: str) -> None:
    assert choose_kind({name: "block"}, WEIGHTS, has_ultra=True) == "block"


def test_constants_in_luts_are_logic_to_yosys() -> None:
    assert choose_kind({"RAM_STYLE": "distributed"}, WEIGHTS, has_ultra=True) == "logic"
    assert choose_kind({"RAM_STYLE": "distributed"}, BUFFER, has_ultra=True) == "distributed"


def test_contents_never_lie_in_ultra_ram_and_no_memory_does_where_there_is_none() -> None:
    assert choose_kind({"RAM_STYLE": "ultra"}, BUFFER, has_ultra=True) == "ultra"
    assert choose_kind({"RAM_STYLE": "ultra"}, WEIGHTS, has_ultra=True) is None
    assert choose_kind({"RAM_STYLE": "ultra"}, BUFFER, has_ultra=False) is None


def test_a_memory_that_is_read_without_a_clock_is_left_to_yosys() -> None:
    read_at_once = MemoryFacts(is_written=True, has_contents=False, is_clocked=False)
    assert choose_kind({"RAM_STYLE": "block"}, read_at_once, has_ultra=True) is None


@pytest.mark.parametrize(
    ("part", "expected"), [("xczu7ev-ffvc1156-2-e", True), ("xczu3eg-sbva484-1-e", False), ("xc7z020clg400-1", False)]
)
def test_ultra_ram_is_where_the_device_has_it(part: str, expected: bool) -> None:
    assert has_ultra(part) is expected


def count_in(cells: dict[str, dict[str, str]], at: int) -> tuple[int, int]:
    """The BRAM_18K and URAM of memory `at`."""
    kinds = [cell["type"] for name, cell in cells.items() if re.match(rf"\\m{at}\.", name)]
    blocks = sum(2 if kind.startswith("\\RAMB36") else kind.startswith("\\RAMB18") for kind in kinds)
    return blocks, sum(kind == "\\URAM288" for kind in kinds)


def map_by_yosys(
    workspace: Workspace, environments: Path, folder: Path, family: str, memories: list[Request]
) -> dict[str, dict[str, str]]:
    """Map memories of these words, bits and styles; return the cells by name."""
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == "yosys-synth@yosys-0.70")
    python = ensure_environment(recipe, environments, lambda _: None).python
    ports, text = ["input clk, w", "input [15:0] a, b"], []
    for at, (words, bits, style, is_written) in enumerate(memories):
        ports.append(f"input [{bits - 1}:0] d{at}, output reg [{bits - 1}:0] q{at}")
        top = math.ceil(math.log2(words)) - 1
        text.append(f'(* RAM_STYLE = "{style}" *) reg [{bits - 1}:0] m{at} [0:{words - 1}];')
        text.append(f"always @(posedge clk) q{at} <= m{at}[a[{top}:0]];")
        if is_written:
            text.append(f"always @(posedge clk) if (w) m{at}[b[{top}:0]] <= d{at};")
            continue
        contents = (f"{hash_bits(word + at) % (1 << bits):x}" for word in range(words))
        (folder / f"{at}.hex").write_text("\n".join(contents))
        text.append(f'initial $readmemh("{at}.hex", m{at});')
    (folder / "top.v").write_text("\n".join([f"module top ({', '.join(ports)});", *text, "endmodule"]))
    run = [str(python), str(WORKER), *(str(ROOT / name) for name in ("protocol", "executors")), family]
    subprocess.run(run, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    cells: dict[str, dict[str, str]] = json.loads((folder / "ours.json").read_text())
    return cells


def hash_bits(number: int) -> int:
    """Return 160 bits that look like noise."""
    found = 0
    for at in range(5):
        found = found << 32 | ((number * 5 + at + 1) * 0x9E3779B97F4A7C15 >> 16) & 0xFFFFFFFF
    return found


@pytest.mark.env
def test_memories_lie_where_they_ask_to_and_take_what_is_predicted(
    workspace: Workspace, environments: Path, tmp_path: Path
) -> None:
    styles = [(style, False) for style in ("auto", "distributed", "block", "ultra")]
    memories = [
        (words, bits, style, is_written)
        for words, bits in ((64, 8), (513, 5), (1152, 64), (3000, 40), (4608, 20))
        for style, is_written in (*styles, ("block", True), ("ultra", True))
    ]
    cells = map_by_yosys(workspace, environments, tmp_path, "xcup", memories)
    for at, (words, bits, style, is_written) in enumerate(memories):
        expected = (count_constants(words, bits, style), 0)
        if is_written:
            blocks = count_blocks(words, bits, is_written=True)
            expected = (blocks, 0) if style == "block" else (0, count_ultra(words, bits))
        assert count_in(cells, at) == expected, (words, bits, style, is_written)
    assert count_constants(64, 8, "block") == 1


@pytest.mark.env
def test_a_device_without_ultra_ram_gets_none(workspace: Workspace, environments: Path, tmp_path: Path) -> None:
    cells = map_by_yosys(
        workspace, environments, tmp_path, "xc7", [(4096, 72, "ultra", True), (64, 8, "block", True)]
    )
    assert [count_in(cells, at)[1] for at in (0, 1)] == [0, 0]
    assert count_in(cells, 0)[0] > 0
    assert count_in(cells, 1)[0] == 1
