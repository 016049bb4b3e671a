"""Memories of a layer: their cells and contents are those that Yosys's own maps make."""

import json
import subprocess
from pathlib import Path

import pytest
from bskernel.images import ensure_environment
from bskernel.workspace.workspace import Workspace
from bskernel_executors.yosys_synth.block_ram import holds, split_contents
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

WORKER = Path(__file__).parents[2] / "support" / "memory_worker.py"


@given(st.sampled_from([18 << 10, 36 << 10]), st.data())
def test_eight_bits_of_data_are_followed_by_one_of_parity(size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, size - 1))
    split = split_contents("0" * (size - 1 - at) + "1" + "0" * at)
    byte, bit = divmod(at, 9)
    name, place = ("INITP", byte) if bit == 8 else ("INIT", byte * 8 + bit)
    ones = {(key, 255 - value.index("1")) for key, value in split.items() if "1" in value}
    assert ones == {(f"{name}_{place // 256:02X}", place % 256)}
    assert {len(value) for value in split.values()} == {256}
    assert sum(map(len, split.values())) == size


def test_contents_of_another_length_are_not_taken_for_those_of_a_block_ram() -> None:
    assert [holds("x" * size) for size in (64, 18 << 10, 36 << 10, 72 << 10)] == [False, True, True, False]


@pytest.mark.env
@pytest.mark.parametrize(
    ("family", "memories"), [("xcup", ((1024, 18), (1000, 36), (48, 6))), ("xc7", ((1024, 18), (65536, 1)))]
)
def test_memories_are_mapped_as_by_yosys(
    workspace: Workspace, environments: Path, tmp_path: Path, family: str, memories: tuple[tuple[int, int], ...]
) -> None:
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == "yosys-synth@yosys-0.70")
    python = ensure_environment(recipe, environments, lambda _: None).python
    ports = (f", input [15:0] a{at}, output reg [{bits - 1}:0] q{at}" for at, (_, bits) in enumerate(memories))
    text = [f"module top (input clk{''.join(ports)});"]
    for at, (words, bits) in enumerate(memories):
        contents = (f"{((word + at) * 0x9E3779B1 >> 7) % (1 << bits):x}" for word in range(words))
        (tmp_path / f"{at}.hex").write_text("\n".join(contents))
        text.append(f'reg [{bits - 1}:0] m{at} [0:{words - 1}]; initial $readmemh("{at}.hex", m{at});')
        text.append(f"always @(posedge clk) q{at} <= m{at}[a{at}];")
    (tmp_path / "top.v").write_text("\n".join([*text, "endmodule"]))
    run = [str(python), str(WORKER), *(str(ROOT / name) for name in ("protocol", "executors")), family]
    subprocess.run(run, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    ours, own = (json.loads((tmp_path / name).read_text()) for name in ("ours.json", "yosys.json"))
    assert ours == own
    assert any(cell["type"].startswith("\\RAMB") for cell in own.values())
