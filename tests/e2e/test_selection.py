"""Parts of a flow by the command line: what runs, what is refused, and what a model in the middle must be."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support.builds import write

FLOW = """
[build]
model = "number.txt"
[[step]]
entry = "testing:tidy"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:lower"
[[step]]
name = "generate_for_sizing"
entry = "testing:generate"
[[step]]
name = "again"
entry = "testing:lower"
inputs = { model = "double.model" }
[[step]]
entry = "testing:generate"
"""
ORDER = ["tidy", "double", "lower", "generate_for_sizing", "again", "generate"]


def ran(folder: Path) -> list[str]:
    result = json.loads((folder / "build" / "number" / "result.json").read_text())
    return [step["name"] for step in result["steps"]]


def failure(folder: Path) -> Any:
    return json.loads((folder / "build" / "number" / "result.json").read_text())["failure"]


def made(folder: Path) -> str:
    return (folder / "build" / "number" / "artifacts" / "model").read_text()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--output-type", "finn"), ["tidy", "double"]),
        (("--from", "testing:double", "--to", "-4"), ["double", "lower"]),
        (("--input-type", "onnx", "--to", "double"), ["check_stage", "tidy", "double"]),
    ],
)
def test_a_part_of_the_flow_is_run_alone(
    cli: Any, tmp_path: Path, options: tuple[str, ...], expected: list[str]
) -> None:
    done = cli("run", write(tmp_path, FLOW), *options)
    assert done.returncode == 0, done.stderr + done.stdout
    assert ran(tmp_path) == expected


def test_a_build_from_the_middle_goes_on_where_another_ended(cli: Any, tmp_path: Path) -> None:
    assert cli("run", write(tmp_path, FLOW)).returncode == 0
    assert ran(tmp_path) == ORDER
    whole = made(tmp_path)
    assert cli("run", write(tmp_path, FLOW), "--output-type", "finn").returncode == 0
    config = write(tmp_path, FLOW, '[flow]\ninput_type = "finn"\n', number=int(made(tmp_path)))
    done = cli("run", config)
    assert done.returncode == 0, done.stdout
    # `again` names the output of a step that is left out: the given model stands for it.
    assert ran(tmp_path) == ["check_stage", "lower", "generate_for_sizing", "again", "generate"]
    assert made(tmp_path) == whole
    statuses = [step["status"] for step in json.loads((tmp_path / "build/number/result.json").read_text())["steps"]]
    assert statuses == ["ran", "recalled", "recalled", "recalled", "recalled"]


def test_a_model_at_another_stage_is_refused_with_where_to_begin_and_the_check_is_not_remembered(
    cli: Any, tmp_path: Path
) -> None:
    for _ in range(2):
        done = cli("run", write(tmp_path, FLOW), "--from", "lower")
        assert done.returncode == 3
        assert failure(tmp_path)["category"] == "model_load"
        assert "the number is at stage onnx, not at finn" in done.stdout
        assert "begin with --from tidy" in done.stdout
    for expected in ("ran", "recalled"):
        assert cli("run", write(tmp_path, FLOW, number=6), "--from", "lower").returncode == 0
        result = json.loads((tmp_path / "build" / "number" / "result.json").read_text())
        assert (result["steps"][0]["name"], result["steps"][0]["status"]) == ("check_stage", expected)


def test_where_no_executor_can_tell_the_stage_the_plan_goes_on_without(cli: Any, tmp_path: Path) -> None:
    assert cli("run", write(tmp_path, FLOW, number=6), "--from", "generate").returncode == 0
    assert ran(tmp_path) == ["generate"]


@pytest.mark.parametrize(
    ("options", "needles"),
    [
        (("--from", "lowe"), ["--from 'lowe'", "did you mean 'lower'", *ORDER]),
        (("--from", "6"), ["--from 6: the flow has 6 steps, 0 to 5"]),
        (("--to", "testing:generate"), ["selects 2 steps", "generate_for_sizing, generate"]),
        (("--to", "testing:generat"), ["did you mean 'testing:generate'", "testing:tidy"]),
        (("--output-type", "rtl"), ["2 times", "--to generate_for_sizing or --to generate"]),
        (("--output-type", "ip"), ["never reaches this stage", "finn, hwgraph, rtl"]),
        (("--output-type", "ipp"), ["'ipp' is not one of", "'netlist'"]),
        (("--input-type", "rtl"), ["'rtl' is not one of", "'hwgraph'"]),
        (("--input-type", "hwgraph", "--to", "lower"), ["no step is left", ", ".join(ORDER)]),
        (("--from", "0", "--input-type", "finn"), ["--from and --input-type both say where the build begins"]),
        (("--to", "0", "--output-type", "finn"), ["--to and --output-type both say where the build ends"]),
        (("--set", "flow.from=nowhere"), ["build.toml: flow.from 'nowhere'", "tidy"]),
        (("--set", "flow.input_type=onx"), ["flow.input_type", "'onx'", "choices: onnx, qonnx, finn, hwgraph"]),
        (("--set", "flow.form=tidy"), ["unknown key 'form' at [flow]; did you mean 'from'", "input_type"]),
        (("--from", "again", "--set", "flow.edit.remove=[4]"), ["flow.edit.remove[0]", "a text in quotes"]),
        (("--set", 'flow.edit.remove=["double"]'), ["double.model does not exist: [flow.edit] removes step double"]),
    ],
)
def test_a_selection_that_cannot_be_is_refused_with_the_choices(
    cli: Any, tmp_path: Path, options: tuple[str, ...], needles: list[str]
) -> None:
    for command in ("run", "plan"):
        done = cli(command, write(tmp_path, FLOW), *options)
        assert done.returncode == 2
        for needle in needles:
            assert needle in done.stderr


def test_an_output_of_a_step_that_is_left_out_must_be_given(cli: Any, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, FLOW, number=6), "--from", "generate_for_sizing")
    assert done.returncode == 2
    assert "step again: input 'model' is double.model, from a step outside the range" in done.stderr
    assert cli("run", write(tmp_path, FLOW, number=6), "--from", "again").returncode == 0


EDIT = """
[flow.edit]
remove = ["generate_for_sizing", "again"]
[flow.edit.replace.tidy]
entry = "testing:add"
parameters = { number = 100 }
[[flow.edit.insert]]
after = "double"
name = "mine"
entry = "testing:add"
parameters = { number = 10 }
[[flow.edit.insert]]
after = "double"
entry = "testing:add"
"""


def test_steps_are_inserted_replaced_and_removed(cli: Any, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, FLOW, EDIT))
    assert done.returncode == 0, done.stderr
    assert ran(tmp_path) == ["tidy", "double", "mine", "add", "lower", "generate"]
    assert made(tmp_path) == str((5 + 100) * 2 + 10 + 1 + 2 + 2)


def test_an_entry_that_knows_no_stage_takes_the_stages_of_the_step_that_it_replaces(cli: Any, tmp_path: Path) -> None:
    edit = '[flow.edit.replace.lower]\nentry = "testing:add"\nparameters = { number = 100 }\n'
    done = cli("run", write(tmp_path, FLOW, edit))
    assert done.returncode == 0, done.stderr
    assert ran(tmp_path) == ORDER


def test_a_step_that_goes_back_to_an_earlier_model_takes_it_with_what_is_inserted_after(
    cli: Any, tmp_path: Path
) -> None:
    insert = '[[flow.edit.insert]]\nafter = "double"\nname = "{}"\nentry = "testing:add"\nparameters.number = 10\n'
    assert cli("run", write(tmp_path, FLOW, insert.format("a") + insert.format("b"))).returncode == 0
    assert made(tmp_path) == str((5 + 2) * 2 + 10 + 10 + 2 + 2)
    own = (
        '[[flow.edit.insert]]\nafter = "generate"\nname = "c"\nentry = "testing:add"\ninputs.model = "double.model"\n'
    )
    text = cli("plan", write(tmp_path, FLOW, insert.format("a") + own), "--graph", "text").stdout
    assert "c                    testing@1  runs\n       model  <- 1 double\n" in text
    assert "again                testing@1  runs\n       model  <- 2 a\n" in text


@pytest.mark.parametrize(
    ("edit", "needles"),
    [
        ('[[flow.edit.insert]]\nafter = "doubl"\nentry = "testing:add"\n', ["insert[0]: after 'doubl'", "'double'"]),
        ('[[flow.edit.insert]]\nafter = "double"\nentry = "testing:ad"\n', ["step ad", "'ad'", "did you mean 'add'"]),
        ('[[flow.edit.insert]]\nafter = "double"\nentry = "tsting:add"\n', ["unknown executor 'tsting'", "testing"]),
        ('[[flow.edit.insert]]\nafter = "tidy"\nentry = "testing:lower"\n', ["the name 'lower' is already in use"]),
        (
            '[flow.edit]\nremove = ["again"]\n[[flow.edit.insert]]\nafter = "again"\nentry = "testing:add"\n',
            [
                "after 'again': flow.edit.remove removes that step",
                "name a remaining step: tidy, double",
                "[flow.edit.replace.again]",
            ],
        ),
        ('[flow.edit.replace.tdy]\nentry = "testing:add"\n', ["flow.edit.replace 'tdy'", "did you mean 'tidy'"]),
        (
            '[flow.edit.replace.tidy]\nentry = "testing:add"\nparameters = { numbr = 1 }\n',
            ["step tidy", "'numbr'", "number"],
        ),
        (
            '[[flow.edit.insert]]\nafter = "tidy"\nentry = "testing:needs-rtl"\n',
            ["step needs-rtl: takes a model at stage rtl, but the steps before it produce stage finn"],
        ),
    ],
)
def test_an_edit_that_cannot_be_made_is_refused_with_the_choices(
    cli: Any, tmp_path: Path, edit: str, needles: list[str]
) -> None:
    done = cli("plan", write(tmp_path, FLOW, edit))
    assert done.returncode == 2
    assert "build.toml" in done.stderr
    for needle in needles:
        assert needle in done.stderr


def test_changes_to_a_step_that_is_removed_are_refused(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "flow.toml").write_text('[[step]]\nentry = "testing:tidy"\n[[step]]\nentry = "testing:double"\n')
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text(
        'build = { model = "number.txt", flow = "flow.toml" }\n'
        'flow.edit.remove = ["double"]\n[step.double]\ntimeout_s = 3\n'
    )
    done = cli("plan", str(tmp_path / "build.toml"))
    assert done.returncode == 2
    assert "[step.double]: [flow.edit] removes that step" in done.stderr


def test_plan_says_what_chose_the_range(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, FLOW, "[flow]\nto = -1\n", number=6)
    shown = json.loads(cli("plan", config, "--input-type", "finn", "--json").stdout)
    assert shown["range"] == {
        "first": {"step": "lower", "index": 2, "origin": "--input-type finn"},
        "last": {"step": "generate", "index": 5, "origin": f"{config}: flow.to -1"},
        "input_type": "finn",
    }
    assert [item["step"]["name"] for item in shown["steps"]][:2] == ["check_stage", "lower"]
    assert "from lower, by --input-type finn" in cli("plan", config, "--input-type", "finn").stdout


def test_a_plan_is_drawn_as_text_for_mermaid_and_as_svg(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, FLOW)
    assert cli("run", config, "--to", "double").returncode == 0
    text = cli("plan", config, "--graph", "text").stdout
    assert "  1  double               testing@1  cached\n       model  <- 0 tidy\n" in text
    assert "  2  lower                testing@1  runs\n       model  <- 1 double\n     == hwgraph ==\n" in text
    assert 'step1 -- "model: finn" --> step4' in cli("plan", config, "--graph", "mermaid").stdout
    picture = ET.fromstring(cli("plan", config, "--graph", "svg").stdout)
    assert picture.tag.endswith("svg")
    assert cli("plan", config, "--graph", "svg", "--json").returncode == 2
    assert "'dot' is not one of" in cli("plan", config, "--graph", "dot").stderr
