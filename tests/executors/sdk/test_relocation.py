"""Paths of a machine in trees: replaced where that spoils nothing."""

from pathlib import Path
from types import SimpleNamespace

from bskernel_executors.sdk.outputs import check_outputs
from bskernel_executors.sdk.relocation import Moves, moves_from_here, moves_to_here, relocate_proto, relocate_tree
from bskernel_protocol import OutputDescription

HERE, TOKEN = "/home/ada/steps/03-x/work", "/@token@"
BINARY = b"\x7fELF\0\0" + HERE.encode() + b"/a.cpp\0rest"


def tree(folder: Path) -> Path:
    (folder / "project").mkdir(parents=True)
    (folder / "project" / "top.tcl").write_text(f"read_verilog {HERE}/top.v")
    (folder / "project" / "top.tcl").chmod(0o444)
    (folder / "project" / "node_model").write_bytes(BINARY)
    (folder / "plain.bin").write_bytes(b"\0\1\2")
    return folder


def test_a_path_is_replaced_in_texts_and_left_whole_in_binary_files_which_are_named(tmp_path: Path) -> None:
    target = tmp_path / "out"
    left = relocate_tree(tree(tmp_path / "in"), target, [(HERE, TOKEN)])
    assert (target / "project" / "top.tcl").read_text() == f"read_verilog {TOKEN}/top.v"
    assert left == (target / "project" / "node_model",)
    assert left[0].read_bytes() == BINARY
    assert (target / "plain.bin").read_bytes() == b"\0\1\2"


def test_an_output_with_a_binary_file_that_holds_a_path_is_refused(tmp_path: Path) -> None:
    relocate_tree(tree(tmp_path / "in"), tmp_path / "out" / "state", [(HERE, TOKEN)])
    declared = (OutputDescription("state", kind="tree"),)
    failure = check_outputs(tmp_path / "out", declared, (Path(HERE),))
    assert failure is not None
    assert failure.message == "out/state/project/node_model contains a path of this machine"
    (tmp_path / "out" / "state" / "project" / "node_model").unlink()
    assert check_outputs(tmp_path / "out", declared, (Path(HERE),)) is None


def entry(value: str) -> SimpleNamespace:
    return SimpleNamespace(value=value)


def attribute(*, s: bytes = b"", strings: tuple[bytes, ...] = (), g: object = None) -> SimpleNamespace:
    return SimpleNamespace(s=s, strings=list(strings), g=g, graphs=[], HasField=lambda _: g is not None)


def test_every_place_of_a_model_that_can_hold_a_path_is_looked_at_for_every_path() -> None:
    """By the names of ONNX's own fields; whole models are moved in the flows' tests."""
    inner = SimpleNamespace(metadata_props=[], node=[SimpleNamespace(attribute=[attribute(s=f"{HERE}/a".encode())])])
    node = SimpleNamespace(
        metadata_props=[entry(f"{HERE}/b")],
        attribute=[attribute(strings=(f"{HERE}/c".encode(), b"/opt/lib/d")), attribute(g=inner)],
    )
    # QONNX keeps metadata in the graph, ONNX in the model.
    graph = SimpleNamespace(metadata_props=[entry(f"{HERE} of /opt/lib")], node=[node])
    model = SimpleNamespace(metadata_props=[entry("/opt/lib")], graph=graph)
    relocate_proto(model, [(HERE, TOKEN), ("/opt/lib", "/@library@")])
    assert model.metadata_props[0].value == "/@library@"
    assert graph.metadata_props[0].value == f"{TOKEN} of /@library@"
    assert node.metadata_props[0].value == f"{TOKEN}/b"
    assert node.attribute[0].strings == [f"{TOKEN}/c".encode(), b"/@library@/d"]
    assert inner.node[0].attribute[0].s == f"{TOKEN}/a".encode()


def move(data: str, folder: Path, moves: Moves) -> str:
    folder.mkdir()
    (folder / "text").write_text(data)
    relocate_tree(folder, folder.with_suffix(".moved"), moves)
    return (folder.with_suffix(".moved") / "text").read_text()


def test_a_step_s_paths_are_replaced_and_a_user_s_text_that_equals_one_stays(tmp_path: Path) -> None:
    for runtime, places in (
        ("process", [("/home/ada/s/04/work", "/@work@"), ("/home/ada", "/@home@")]),
        ("docker", [("/bskernel/s/04/work", "/@work@"), ("/bskernel/home", "/@home@")]),
    ):
        text = "/home/ada/s/04/work/net /bskernel/home/net /home/ada/net /@work@/made"
        inside = move(text, tmp_path / f"{runtime}-in", moves_to_here(places))
        assert inside.endswith(f" {places[0][0]}/made")
        assert inside.count(places[0][0]) == 1
        made = f"{inside} {places[0][0]}/new {places[1][0]}/run"
        assert move(made, tmp_path / f"{runtime}-out", moves_from_here(places)) == f"{text} /@work@/new /@home@/run"
