"""Builds and gates as they lie in files."""

from pathlib import Path
from typing import Any

import pytest
from bskernel.core.action import Action
from bskernel.core.errors import ConfigError
from bskernel.flow.loader import load_config
from bskernel.flow.snapshot import snapshot_config
from bskernel.result.comparison import Gate
from bskernel.result.diff import diff, read_build, read_gates
from bskernel_protocol import canonical_bytes, pretty_json
from support.finished_builds import step, value


def kept(folder: Path, *, fps: float = 100.0, action: Action | None = None, config: bool = True) -> Path:
    """A build directory of one step, as the kernel writes it."""
    fold = step("fold", n=1)
    (folder / "steps" / "00-fold").mkdir(parents=True)
    (folder / "steps" / "00-fold" / "action.msgpack").write_bytes(canonical_bytes(action or fold.action))
    result: dict[str, Any] = {
        "name": "digits",
        "status": "ok",
        "runtime": "process",
        "steps": [{"name": "fold", "executor": "testing@1", "status": "ran", "key": fold.key, "outputs": []}],
        "metrics": {"throughput": [value(fps, "inferences/s", "estimate")]},
        "of_a_later_version": 1,
    }
    (folder / "result.json").write_text(pretty_json(result))
    if config:
        (folder / "config.json").write_text('{"target": {"target_fps": 100}}')
    return folder


def test_a_build_directory_and_its_result_are_the_same_build(tmp_path: Path) -> None:
    folder = kept(tmp_path / "one")
    of_folder, of_file = read_build(folder), read_build(folder / "result.json")
    assert of_folder.steps == of_file.steps
    assert of_folder.steps[0].action is not None
    assert of_folder.config == of_file.config == {"target": {"target_fps": 100}}
    assert diff(folder, folder / "result.json").same


def test_a_result_alone_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = kept(tmp_path / "one")
    alone = folder / "base.json"  # beside the config.json of another build, for all that is known
    alone.write_bytes((folder / "result.json").read_bytes())
    found = diff(folder, alone)
    assert found.config_missing == ("B",)
    assert [item.status for item in found.steps] == ["same"]


def test_an_action_that_is_not_that_of_the_result_is_not_taken_for_it(tmp_path: Path) -> None:
    earlier = step("fold", n=7).action
    assert read_build(kept(tmp_path / "one", action=earlier)).steps[0].action is None


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), ("{", "not the result of a build"), ('{"name": 1}', "not the result of a build")],
)
def test_what_is_no_build_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    with pytest.raises(ConfigError, match=message) as refused:
        read_build(tmp_path)
    assert str(tmp_path / "result.json") in refused.value.message


def test_gates_of_a_file_are_strict(tmp_path: Path) -> None:
    file = tmp_path / "gates.toml"
    file.write_text('[[gate]]\nname = "pace"\nfail_if = "throughput < base"\nreason = "the camera"\n')
    assert read_gates(file) == (Gate(name="pace", fail_if="throughput < base", reason="the camera"),)
    file.write_text('[[gate]]\nfail-if = "throughput < base"\n')
    with pytest.raises(ConfigError, match=r"gates\.toml: unknown key 'fail-if' .* did you mean 'fail_if'"):
        read_gates(file)
    file.write_text("gate = []\n")
    with pytest.raises(ConfigError, match=r"gates\.toml: no \[\[gate\]\] table"):
        read_gates(file)


def test_a_bad_gate_names_itself_its_column_and_the_quantities(tmp_path: Path) -> None:
    one = kept(tmp_path / "one")
    with pytest.raises(ConfigError) as refused:
        diff(one, one, gates=[Gate(name="pace", fail_if="throughput < 2 base")])
    assert refused.value.message == (
        "gate 'pace': throughput < 2 base: column 16: expected an operator or the end, found 'base'"
    )
    assert refused.value.hint == "quantities: throughput"
    with pytest.raises(ConfigError, match="given twice"):
        diff(one, one, gates=[Gate(fail_if="throughput < base")] * 2)


def test_the_recorded_configuration_has_its_settings_and_no_path_of_the_machine(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for made in (folder, elsewhere):
        made.mkdir()
        (made / "net.onnx").write_text("")
    (folder / "build.toml").write_text(
        f'[build]\nmodel = "{folder}/net.onnx"\noutput = "{elsewhere}/out"\n'
        f'[quality]\nsamples = "{elsewhere}/heldout.npz"\n'
        f'[parameters.finn-step]\npaths = ["{elsewhere}/a", "b"]\n'
        '[step.step_streamline]\ntimeout_s = 5\ninputs = { fifo_config = "more/fifo.json" }\n'
    )
    recorded = snapshot_config(load_config(folder / "build.toml", ["target.target_fps=7"]))
    assert str(tmp_path) not in pretty_json(recorded)
    assert recorded["build"] == {"model": "net.onnx", "name": "net", "flow": "estimate", "salt": ""}
    assert recorded["target"] == {"clock_ns": 5.0, "target_fps": 7}
    assert recorded["quality"] == {"samples": "heldout.npz", "verify": "stages"}
    assert recorded["parameters"] == {"finn-step": {"paths": ["a", "b"]}}
    assert recorded["step"]["step_streamline"]["inputs"] == {"fifo_config": "more/fifo.json"}
