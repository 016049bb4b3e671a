"""What is wrong with a build.toml or the files that it names is said before any step runs, by `plan` as by `run`."""

import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.builds import result_of, statuses
from support.onnx_bytes import graph, model, tensor
from support.paths import BSKERNEL, ROOT

NETWORK = model(graph([tensor("w", raw=b"1234")]))


@pytest.fixture
def shipped(tmp_path: Path, surroundings: dict[str, str]) -> Any:
    """Call bskernel with the executors of this checkout, on a build of NETWORK with the text given."""
    (tmp_path / "net.onnx").write_bytes(NETWORK)

    def call(command: str, text: str) -> subprocess.CompletedProcess[str]:
        config = tmp_path / "build.toml"
        config.write_text(f'build.model = "net.onnx"\n{text}\n')
        return subprocess.run(
            [BSKERNEL, command, str(config)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=surroundings | {"BSKERNEL_ROOT": str(ROOT)},
        )

    return call


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ('target.board = "zcu104"', ["target.board: unknown board 'zcu104'", "did you mean 'ZCU104'?", "Pynq-Z1"]),
        ('target.board = "Nexys"', ["target.board: unknown board 'Nexys'", "boards: AUP-ZU3_8GB"]),
        (
            'target.board = "ZCU104"\ntarget.part = "xc7z020clg400-1"',
            ["contradict", "ZCU104 has the part xczu7ev-ffvc1156-2-e, not xc7z020clg400-1", "leave one of them out"],
        ),
        ("", ["step step_specialize_layers needs an FPGA part", "set target.board, or target.part", "ZCU104"]),
        (
            'target.part = "xczu7"',
            ["target.part = 'xczu7' is no part of AMD's or of Lattice's ECP5", "xc7z020clg400-1"],
        ),
        (
            'target.part = "ZCU104"',
            ["target.part = 'ZCU104' is no part of", 'ZCU104 is a board: write target.board = "ZCU104"'],
        ),
        ("target.clock_ns = 0", ["target.clock_ns is a period in ns and must be above 0, not 0"]),
        ("target.clock_ns = nan", ["must be finite, not nan"]),
        ("target.clock_ns = inf", ["must be finite, not inf"]),
        ("target.clock_mhz = 200", ["unknown key 'clock_mhz' at [target]; did you mean clock_ns = 5.0 (200 MHz)?"]),
        (
            'target.target_fps = "100000"',
            [
                "target.target_fps: must be a whole number, such as 100_000, not the text '100000'",
                "write target_fps = 100_000",
            ],
        ),
        ("target.target_fps = 1e5", ["not the decimal number 100000.0", "write target_fps = 100_000"]),
        ("target.target_fps = nan", ["must be a whole number, such as 100_000, not nan"]),
        ("target.target_fps = true", ["must be a whole number, such as 100_000, not true"]),
        ("target.target_fps = 0", ["target.target_fps must be above 0, not 0"]),
        (
            'target.board = "ZCU104"\nparameters.finn-step.standalone_treshold = true',
            ["did you mean 'standalone_thresholds'?", "the nearest of", "`bskernel steps finn-step` lists them"],
        ),
        (
            'target.board = "ZCU104"\nparameters.finn-step.standalone_thresholds = "true"',
            ["standalone_thresholds = 'true': must be true or false", "write true"],
        ),
    ],
)
def test_plan_and_run_refuse_a_wrong_target_alike(shipped: Any, text: str, needles: list[str]) -> None:
    plan, run = shipped("plan", text), shipped("run", text)
    assert plan.returncode == run.returncode == 2
    assert plan.stderr == run.stderr
    assert "build.toml: " in plan.stderr
    for needle in needles:
        assert needle in plan.stderr
    assert "`int" not in plan.stderr


@pytest.mark.parametrize(
    ("flow", "part", "needles"),
    [
        ("ecp5", "xc7z020clg400-1", ["is no part of Lattice's ECP5", "LFE5U-25F", "e.g. LFE5U-85F-6BG381C"]),
        ("ice40", "xc7z020clg400-1", ["is no part of Lattice's", "iCE40 UltraPlus (iCE40UP5K, in SG48, UWG30)"]),
        (
            "ecp5",
            "LFE5U-99F-6BG381C",
            ["is no part of AMD's or of Lattice's ECP5", "LFE5U-45F", "only the devices above"],
        ),
        ("ecp5", "LFE5U-85F-6TG144C", ["is no part of AMD's or of Lattice's ECP5", "BG381"]),
        (
            "ice40",
            "iCE40HX8K-CT256",
            ["of Lattice's iCE40, only the devices above are supported", "iCE40UP5K, in SG48"],
        ),
        ("ice40", "iCE40UP5K-CM81I", ["is no part of AMD's or of Lattice's ECP5", "e.g. ", "iCE40UP5K-SG48I"]),
        ("open", "iCE40UP5K-SG48I", ["is no part of AMD's 7 series or UltraScale+", "iCE40 is not supported here"]),
        (
            "ice40",
            "GW1NR-LV9QN88PC6/I5",
            ["Gowin is not supported here", "Lattice's ECP5 (", "or iCE40 UltraPlus (iCE40UP5K"],
        ),
        ("ecp5", "LCMXO2-7000HE-4TG144C", ["Lattice's MachXO is not supported here"]),
        ("open", "LFE5U-85F-6BG381C", ["is no part of AMD's 7 series or UltraScale+", "xc7z020clg400-1"]),
        ("open", "xcvc1902-vsva2197-2MP-e-S", ["is no part of AMD's 7 series or UltraScale+"]),
        ("synth", "LFE5U-85F-6BG381C", ["is no part of AMD's"]),
    ],
)
def test_a_part_that_the_flow_s_tools_do_not_take_is_refused_by_the_plan(
    shipped: Any, flow: str, part: str, needles: list[str]
) -> None:
    done = shipped("plan", f'build.flow = "{flow}"\ntarget.part = "{part}"')
    assert done.returncode == 2
    assert f"target.part = '{part}' is no " in done.stderr
    for needle in needles:
        assert needle in done.stderr


@pytest.mark.parametrize("flow", ["estimate", "codegen", "rtl", "open", "netlist"])
def test_a_board_gives_its_part_in_every_flow(shipped: Any, flow: str) -> None:
    done = shipped("plan", f'build.flow = "{flow}"\ntarget.board = "ZCU104"')
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("target.clock_ns = 200", "target.clock_ns = 200 is a clock of 5 MHz; did you mean 5 ns (200 MHz)?"),
        ("target.target_fps = 900_000_000", "target.target_fps = 900,000,000 is above the clock of 200 MHz"),
    ],
)
def test_a_target_that_is_hardly_meant_is_a_warning_of_the_plan(shipped: Any, text: str, warning: str) -> None:
    done = shipped("plan", f'target.board = "ZCU104"\n{text}')
    assert done.returncode == 0, done.stderr
    assert f"warning: {warning}" in done.stdout
    sweep = f'target.board = "ZCU104"\n[sweep.grid]\n"{text.split()[0]}" = [5, {text.split()[-1]}]'
    assert f"warning: {warning}" in shipped("plan", sweep).stdout


def test_a_warning_of_the_plan_is_shown_by_run_and_kept_in_its_result(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text(
        'build.model = "number.txt"\ntarget.clock_ns = 125\n[[step]]\nentry = "testing:double"\n'
    )
    done = cli("run", "build.toml")
    told = "target.clock_ns = 125 is a clock of 8 MHz; did you mean 8 ns (125 MHz)?"
    assert f"warning: {told}" in done.stderr
    assert told in done.stdout
    assert result_of(tmp_path / "build" / "number")["warnings"] == [told]


READ = '[build]\nname = "b"\nmodel = "{model}"\n[[step]]\nentry = "testing:read-network"\n{more}'


def write_network(folder: Path, *, data: str | None = "net.onnx.data") -> None:
    content = tensor("w", raw=b"1234") if data is None else tensor("w", location=data)
    (folder / "net.onnx").write_bytes(model(graph([content])))


@pytest.mark.parametrize(
    ("data", "needles"),
    [
        (b"", ["it is empty"]),
        (b"PK\x03\x04 weights", ["a zip archive, as torch.save writes"]),
        (b"\x89HDF\r\n\x1a\n", ["an HDF5 file, as Keras writes"]),
        (NETWORK[:-3], ["cut off"]),
    ],
)
def test_a_model_of_another_kind_is_refused_by_its_key(
    cli: Any, tmp_path: Path, data: bytes, needles: list[str]
) -> None:
    (tmp_path / "net.pt").write_bytes(data)
    (tmp_path / "build.toml").write_text(READ.format(model="net.pt", more=""))
    for command in ("plan", "run"):
        done = cli(command, "build.toml")
        assert done.returncode == 2
        for needle in ("build.toml: build.model: ", "net.pt is no ONNX file: it is ", "torch.onnx.export", *needles):
            assert needle in done.stderr


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ('{\n  "MVAU_0": {"PE": 4,}\n}', ["folding.json is not JSON: line 2, column "]),
        ('[{"PE": 4}]', ["folding.json holds a list, not an object"]),
        ("3", ["folding.json holds a single value, not an object"]),
        ('{"a": NaN}', ["folding.json is not JSON"]),
    ],
)
def test_a_settings_file_that_is_no_json_object_is_refused_by_its_key_and_line(
    cli: Any, tmp_path: Path, text: str, needles: list[str]
) -> None:
    write_network(tmp_path, data=None)
    (tmp_path / "folding.json").write_text(text)
    (tmp_path / "build.toml").write_text(READ.format(model="net.onnx", more='inputs.settings = "folding.json"'))
    done = cli("plan", "build.toml")
    assert done.returncode == 2
    for needle in ("build.toml: step read-network: inputs.settings: ", *needles):
        assert needle in done.stderr


@pytest.mark.in_both
def test_the_files_in_which_a_model_keeps_tensors_belong_to_its_key(cli: Any, tmp_path: Path) -> None:
    write_network(tmp_path, data="weights/first.bin")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "first.bin").write_text("1234")
    (tmp_path / "weights" / "unnamed.bin").write_text("not read")
    (tmp_path / "build.toml").write_text(READ.format(model="net.onnx", more=""))

    def read() -> tuple[str, str]:
        assert cli("run", "build.toml").returncode == 0
        build = tmp_path / "build" / "b"
        return statuses(build)["read-network"], (build / "artifacts" / "model").read_text()

    assert read() == ("ran", '{"weights/first.bin": "1234"}')
    assert read() == ("recalled", '{"weights/first.bin": "1234"}')
    assert "cached" in cli("plan", "build.toml").stdout
    assert "first.bin" in cli("plan", "build.toml", "--graph", "text").stdout
    (tmp_path / "weights" / "first.bin").write_text("5678")
    assert "input external_data" in cli("plan", "build.toml").stdout
    assert read() == ("ran", '{"weights/first.bin": "5678"}')
    replayed = cli("replay", str(tmp_path / "build" / "b"), "read-network")
    assert replayed.returncode == 0, replayed.stderr
    assert "5678" in (tmp_path / "replay" / "00-read-network" / "out" / "model").read_text()
    assert cli("bundle", str(tmp_path / "build" / "b"), "--with-model").returncode == 0
    with tarfile.open(tmp_path / "b.bskernel.tar.gz") as archive:
        packed = archive.extractfile("bundle/model/weights/first.bin")
        assert packed is not None
        assert packed.read() == b"5678"
        assert "bundle/model/model.onnx" in archive.getnames()


def test_the_points_of_a_sweep_share_the_files_of_their_model(cli: Any, tmp_path: Path) -> None:
    write_network(tmp_path)
    (tmp_path / "net.onnx.data").write_text("1234")
    more = '[[step]]\nentry = "testing:nap"\n[sweep.grid]\n"target.target_fps" = [1, 2]'
    (tmp_path / "sweep.toml").write_text(READ.format(model="net.onnx", more=more))
    done = cli("sweep", "sweep.toml")
    assert done.returncode == 0, done.stderr
    (first, second) = (tmp_path / "build" / "b-sweep" / "points").iterdir()
    for point in (first, second):
        told = (point / "steps" / "00-read-network" / "manifest.msgpack").read_bytes()
        assert b"external_data" in told


OUTSIDE = ["../secret.bin", "/etc/hostname", "a/../../secret.bin", "..", "link.bin", "gone.bin"]


@pytest.mark.parametrize("location", OUTSIDE)
def test_a_model_cannot_name_files_outside_its_folder(cli: Any, tmp_path: Path, location: str) -> None:
    folder = tmp_path / "nets"
    folder.mkdir()
    (tmp_path / "secret.bin").write_text("secret")
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    write_network(folder, data=location)
    (tmp_path / "build.toml").write_text(READ.format(model="nets/net.onnx", more=""))
    done = cli("run", "build.toml")
    assert done.returncode == 2
    assert f"build.model: {folder}/net.onnx keeps tensors in '{location}'" in done.stderr
    assert not (tmp_path / "build").exists()


def test_a_step_that_reads_one_file_alone_is_refused_a_model_of_several(cli: Any, tmp_path: Path) -> None:
    write_network(tmp_path)
    (tmp_path / "net.onnx.data").write_text("1234")
    (tmp_path / "build.toml").write_text('build.model = "net.onnx"\n[[step]]\nentry = "testing:read-alone"\n')
    done = cli("run", "build.toml")
    assert done.returncode == 2
    assert "step read-alone: " in done.stderr
    assert "keeps tensors in net.onnx.data, but this step reads the model's file alone" in done.stderr
    assert 'onnx.save(onnx.load("net.onnx"), "whole.onnx")' in done.stderr


@pytest.mark.parametrize(("make", "what"), [(os.mkdir, "is a folder"), (os.mkfifo, "is not a plain file")])
def test_a_model_that_is_no_file_is_refused(
    cli: Any, tmp_path: Path, make: Callable[[Path], None], what: str
) -> None:
    make(tmp_path / "nets")
    (tmp_path / "build.toml").write_text(READ.format(model="nets", more=""))
    done = cli("plan", "build.toml")
    assert done.returncode == 2
    assert f"build.toml: build.model: {tmp_path}/nets {what}" in done.stderr


def test_a_model_may_be_a_link_and_its_files_are_those_beside_the_link(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    write_network(tmp_path / "store")
    (tmp_path / "net.onnx").symlink_to(tmp_path / "store" / "net.onnx")
    (tmp_path / "net.onnx.data").write_text("1234")
    (tmp_path / "build.toml").write_text(READ.format(model="net.onnx", more=""))
    done = cli("run", "build.toml")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "build" / "b" / "artifacts" / "model").read_text() == '{"net.onnx.data": "1234"}'


def test_a_path_with_spaces_is_a_path(cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "my networks"
    folder.mkdir()
    write_network(folder, data="my weights.bin")
    (folder / "my weights.bin").write_text("1234")
    (folder / "my build.toml").write_text(READ.format(model="net.onnx", more=""))
    done = cli("run", str(folder / "my build.toml"))
    assert done.returncode == 0, done.stderr
    assert (folder / "build" / "b" / "artifacts" / "model").read_text() == '{"my weights.bin": "1234"}'


TWO = 'build.model = "number.txt"\n{more}[[step]]\nentry = "testing:double"\n'


def test_a_build_does_not_replace_the_results_of_another_configuration(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "number.txt").write_text("5")
    for name in ("first.toml", "second.toml"):
        (tmp_path / name).write_text(TWO.format(more='build.name = "number"\n'))
    assert cli("run", "first.toml").returncode == 0
    before = (tmp_path / "build" / "number" / "result.json").read_bytes()
    for command in ("run", "plan"):
        done = cli(command, "second.toml")
        assert done.returncode == 2
        assert (
            f"second.toml: {tmp_path}/build/number holds the results of first.toml, which this would replace"
            in done.stderr
        )
        assert "build.name" in done.stderr
    assert (tmp_path / "build" / "number" / "result.json").read_bytes() == before
    assert cli("run", "second.toml", "--output", "other").returncode == 0
    assert cli("run", "second.toml", "--set", "build.name=second").returncode == 0
    assert cli("run", "first.toml").returncode == 0
    (tmp_path / "first.toml").rename(tmp_path / "renamed.toml")
    assert cli("run", "renamed.toml").returncode == 0


def test_steps_say_how_their_inputs_are_given(cli: Any) -> None:
    told = cli("steps", "testing").stdout
    assert "inputs.settings (a JSON file, optional): numbers by name" in told
    assert "from earlier steps, or inputs.NAME: model (an ONNX file), external_data (a folder, optional)" in told
