"""Layers without their nodes' names: which are equal, and what Vitis HLS reads of them."""

from pathlib import Path

import pytest
from bskernel_executors.finn_step.hls_layer import find_name, name_by_content, read_code
from bskernel_executors.sdk import StepFailure

OPERATOR, LAYER = "MVAU_hls", "/@bskernel-finn@/layer"
SOURCE = (
    '#include "weights.hpp"\n#include "thresh.h"\n#define PE1 {pe}\nvoid {node}(stream &in0_V, stream &out0_V) {{}}\n'
)
SCRIPT = 'set name {node}\nadd_files {folder}/top_{node}.cpp\nopen_project project_{node}\nset_part "{part}"\n'


def write_layer(folder: Path, node: str, *, pe: int = 2, part: str = "xc7z020", thresholds: str = "{1}") -> Path:
    """The code of a layer as FINN leaves it; its memory of weights is RTL."""
    folder.mkdir()
    (folder / f"top_{node}.cpp").write_text(SOURCE.format(node=node, pe=pe))
    (folder / f"hls_syn_{node}.tcl").write_text(SCRIPT.format(node=node, folder=folder, part=part))
    (folder / "thresh.h").write_text(f"static Thresholds threshs = {thresholds};\n")
    (folder / "memblock.dat").write_text(f"{len(node)}\n")
    (folder / f"{node}_memstream_wrapper.v").write_text(f"module {node}_memstream_wrapper; endmodule\n")
    return folder


def nameless(folder: Path, node: str, operator: str = OPERATOR) -> dict[str, bytes]:
    return name_by_content(read_code(folder, node), node, operator, [(str(folder), LAYER)])


def test_layers_that_differ_in_name_folder_and_streamed_weights_are_equal(tmp_path: Path) -> None:
    first = nameless(write_layer(tmp_path / "code_MVAU_hls_1_00000003", "MVAU_hls_1"), "MVAU_hls_1")
    other = nameless(write_layer(tmp_path / "code_MVAU_hls_12_00000001", "MVAU_hls_12"), "MVAU_hls_12")
    assert first == other
    assert sorted(Path(name).suffix for name in first) == [".cpp", ".h", ".tcl"]
    text = b"".join(first.values()).decode() + "".join(first)
    assert "MVAU_hls_1\n" not in text
    assert str(tmp_path) not in text
    assert f"add_files {LAYER}/top_MVAU_hls_" in text


@pytest.mark.parametrize("changed", [{"pe": 4}, {"part": "xczu7ev"}, {"thresholds": "{2}"}])
def test_what_vitis_hls_reads_makes_another_name(tmp_path: Path, changed: dict[str, str]) -> None:
    first = nameless(write_layer(tmp_path / "a", "MVAU_hls_0"), "MVAU_hls_0")
    other = nameless(write_layer(tmp_path / "b", "MVAU_hls_0", **changed), "MVAU_hls_0")  # type: ignore[arg-type]
    assert {name for name in first if name.startswith("top_")} != {name for name in other if name.startswith("top_")}


def test_the_name_is_the_top_function_s_of_the_files_and_of_nothing_longer(tmp_path: Path) -> None:
    folder = write_layer(tmp_path / "a", "MVAU_hls_1")
    (folder / "thresh.h").write_text("// MVAU_hls_10 xMVAU_hls_1 MVAU_hls_1_inner\n")
    code = nameless(folder, "MVAU_hls_1")
    for name, data in code.items():
        (tmp_path / name).write_bytes(data)
    name = find_name(tmp_path)
    assert f"void {name}(".encode() in code[f"top_{name}.cpp"]
    assert code["thresh.h"].decode() == f"// MVAU_hls_10 xMVAU_hls_1 {name}_inner\n"


def test_a_name_that_may_be_any_word_of_the_code_stays(tmp_path: Path) -> None:
    code = nameless(write_layer(tmp_path / "a", "in0"), "in0")
    assert b"void in0(stream &in0_V" in code["top_in0.cpp"]


def test_missing_code_is_named(tmp_path: Path) -> None:
    (write_layer(tmp_path / "a", "MVAU_hls_0") / "top_MVAU_hls_0.cpp").unlink()
    with pytest.raises(FileNotFoundError, match=r"top_MVAU_hls_0\.cpp"):
        read_code(tmp_path / "a", "MVAU_hls_0")
    with pytest.raises(StepFailure, match="0 scripts for Vitis HLS"):
        find_name(tmp_path)
