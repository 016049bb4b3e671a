"""Lists that a page of docs/ repeats match the code: flows, stages, keys, entries, categories, options."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import bskernel
import msgspec
import pytest
from bskernel_executors.exchange.bit_widths import BitWidths, LayerWidths
from bskernel_executors.exchange.coverage import Coverage, CoveredNode, Part
from bskernel_executors.metrics.breakdown import Breakdown, LayerPace
from bskernel_executors.metrics.comparison import BuildComparison
from bskernel_executors.metrics.headroom import Headroom, ResourceUse
from bskernel_executors.metrics.model import Stage
from bskernel_executors.metrics.roofline import Bounds, LayerBound
from bskernel_executors.qonnx_transform.adaptation.mends import MENDS
from bskernel_executors.qonnx_transform.cost import Cost, InferenceCost
from bskernel_protocol import FailureCategory
from support.paths import ROOT

PACKAGE = Path(bskernel.__file__).parent
PROGRAM = Path(sys.executable).with_name("bskernel")


def page(name: str, heading: str | None = None) -> str:
    """A page, or the part below one of its headings, up to the next of the same or a higher level."""
    text = (ROOT / "docs" / name).read_text()
    if heading is None:
        return text
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^(?!\1#)#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/{name} has no heading {heading!r}"
    return found[2]


def rows(text: str, head: str) -> list[list[str]]:
    """The cells of the one table whose first row begins with these columns."""
    (table,) = re.findall(rf"^\| {re.escape(head)}.*\n\|[-|]+\|\n((?:\|.*\n)*)", text, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in table.splitlines()]


def names(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def first_names(text: str, head: str) -> list[str]:
    """The names in the first cells of a table."""
    return [name for row in rows(text, head) for name in names(row[0])]


def run(*arguments: str) -> str:
    """What the program prints."""
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def section(name: str) -> dict[str, Any]:
    """The keys of a table of build.toml, as the JSON Schema has them."""
    found: dict[str, Any] = json.loads(run("schema", "config"))["$defs"][name]["properties"]
    return found


@cache
def entries(executor: str) -> dict[str, dict[str, Any]]:
    """The entries of an executor's default version."""
    return {entry["name"]: entry for entry in json.loads(run("steps", executor, "--json"))["entries"]}


def shipped(name: str) -> Path:
    """The folder of the kernel's data that holds a file of that name."""
    (found,) = PACKAGE.rglob(name)
    return found.parent


def flows() -> set[str]:
    return {path.stem for path in shipped("estimate.toml").glob("*.toml")}


def test_the_page_on_flows_lists_the_shipped_flows() -> None:
    listed = first_names(page("flows.md", "Shipped flows"), "flow")
    assert sorted(listed) == sorted(flows())


@pytest.mark.parametrize(("option", "key"), [("--input-type", "input_type"), ("--output-type", "output_type")])
def test_the_page_on_flows_lists_the_stages_of_a_range(option: str, key: str) -> None:
    found = {row[0]: row for row in rows(page("flows.md"), "option | key in build.toml")}[f"`{option}`"]
    (choices,) = [one["enum"] for one in section("FlowSection")[key]["anyOf"] if "enum" in one]
    assert found[1] == f"`{key}`"
    assert sorted(found[2].split(", ")) == sorted(choices)


def test_the_page_on_flows_lists_the_keys_of_a_step_and_of_edits() -> None:
    text = page("flows.md", "Write a flow")
    keys = set(first_names(text, "key of a step"))
    assert keys == section("StepTable").keys()
    assert section("Insertion").keys() == keys | {"before", "after"}
    assert section("Replacement").keys() == keys - {"name", "optional"}
    (said,) = re.findall(r"takes all except (.*?)\.", text)
    assert set(names(said)) == {"name", "optional"}
    (said,) = re.findall(r"`\[step\.NAME\]` takes (.*?) and the limits\.", text, re.DOTALL)
    assert {*names(said), "timeout_s", "memory_mib"} == section("StepOptions").keys()
    edits = {name.partition(".")[0] for name in first_names(page("flows.md", "Edit a flow"), "edit")}
    assert edits == section("FlowEdit").keys()


def test_the_page_on_backends_lists_them_in_their_order_with_executors_and_flows() -> None:
    files = [(path.stem, tomllib.loads(path.read_text())) for path in shipped("finn-plus-1.6.1.toml").glob("*.toml")]
    expected = [
        [name, {f"{executor}@{version}" for executor, version in data["executors"].items()}, set(data["flows"])]
        for name, data in sorted(files, key=lambda file: file[1]["order"])
    ]
    listed = rows(page("backends.md", "Shipped backends"), "backend")
    plain = [[name, set(of.split(", ")), set(re.sub(r" \(.*\)", "", have).split(", "))] for name, of, have in listed]
    assert plain == expected


def test_the_page_on_failures_lists_every_category() -> None:
    listed = first_names(page("failures.md", "Categories"), "category")
    assert sorted(listed) == sorted(get_args(FailureCategory))


def test_the_page_on_quality_lists_every_key_with_its_default() -> None:
    listed = rows(page("quality.md", "Keys of `[quality]`"), "key | meaning")
    defaults = {row[0].strip("`"): row[2] for row in listed}
    keys = section("QualitySection")
    assert defaults.keys() == keys.keys()
    parameters = {item["default_from"]: item for item in entries("qonnx-transform")["evaluate"]["parameters"]}
    for key, said in defaults.items():
        default = keys[key].get("default")
        if default is None and f"quality.{key}" in parameters:
            default = parameters[f"quality.{key}"]["default"]
        if default is None:
            assert said in {"none", "all", "a few random frames"}, key
        else:
            assert json.loads(said.strip("`")) == default, key


def test_the_page_on_quality_lists_the_parameters_of_samples_with_their_defaults() -> None:
    said = {names(row[0])[0]: row[2] for row in rows(page("quality.md", "Samples"), "parameter")}
    parameters = {item["name"]: item["default"] for item in entries("qonnx-transform")["samples"]["parameters"]}
    assert {name: json.loads(text.strip("`")) for name, text in said.items()} == {
        name: default
        for name, default in parameters.items()
        if name != "limit"  # a key of [quality]
    }


def test_the_page_on_adapt_lists_every_mend_in_order_and_every_parameter_with_its_default() -> None:
    listed = rows(page("adapt.md", "Mends"), "mend")
    assert [(names(row[0])[0], row[3] == "yes") for row in listed] == [(mend.name, mend.compared) for mend in MENDS]
    parameters = {item["name"]: item["default"] for item in entries("qonnx-transform")["adapt"]["parameters"]}
    said = {
        names(row[0])[0]: json.loads(row[2].strip("`")) for row in rows(page("adapt.md", "Parameters"), "parameter")
    }
    assert said == parameters


def analyses() -> Iterator[tuple[str, dict[str, Any]]]:
    for executor in ("qonnx-transform", "metrics"):
        for name, entry in entries(executor).items():
            if entry["failure"] == "postprocessing":
                yield f"{executor}:{name}", entry


def test_the_page_on_analyses_lists_each_with_stages_parameters_and_result() -> None:
    of_model = rows(page("analyses.md"), "entry | model stages")
    listed = {name: (takes, parameters, result) for name, takes, parameters, result in of_model}
    of_metrics = rows(page("analyses.md"), "entry | parameters")
    listed |= {name: ("any", parameters, result) for name, parameters, result in of_metrics}
    expected = dict(analyses())
    assert {name.strip("`") for name in listed} == expected.keys()
    for name, (takes, parameters, result) in listed.items():
        entry = expected[name.strip("`")]
        assert takes == (", ".join(entry["stage_in"]) or "any"), name
        assert [result] == [f"`{output['name']}`" for output in entry["outputs"]]
        said = dict(re.findall(r"`(\w+)` \(([^;)]*)", parameters))
        assert said.keys() == {item["name"] for item in entry["parameters"]}, name
        for item in entry["parameters"]:
            if item["default_from"] is not None:
                assert said[item["name"]] == f"the build's `{item['default_from']}`"
            elif item["required"]:
                assert said[item["name"]] == "required"
            else:
                default = item["default"]
                assert said[item["name"]] == ("none" if default is None else json.dumps(default))


@pytest.mark.parametrize(("head", "kind"), [("key |", Coverage), ("key of a node", CoveredNode)])
def test_the_page_on_coverage_lists_every_key_of_the_report(head: str, kind: type[msgspec.Struct]) -> None:
    assert first_names(page("coverage.md", "coverage.json"), head) == [
        field.name for field in msgspec.structs.fields(kind)
    ]


def test_the_page_on_coverage_lists_every_part() -> None:
    assert first_names(page("coverage.md", "Where a node runs"), "part") == list(get_args(Part))


@pytest.mark.parametrize(
    ("heading", "head", "kind"),
    [
        ("inference_cost", "field |", InferenceCost),
        ("inference_cost", "field of a cost", Cost),
        ("bit_widths", "field |", BitWidths),
        ("bit_widths", "field of a layer", LayerWidths),
        ("breakdown", "field", Breakdown),
        ("headroom", "field", Headroom),
        ("bound", "field of a layer", LayerBound),
        ("bound", "field of the design", Bounds),
        ("compare", "field", BuildComparison),
    ],
)
def test_the_page_on_analyses_lists_every_field_of_a_result(
    heading: str, head: str, kind: type[msgspec.Struct]
) -> None:
    assert sorted(first_names(page("analyses.md", heading), head)) == sorted(kind.__struct_fields__)


@pytest.mark.parametrize(
    ("heading", "row", "kind", "left_out"),
    [
        ("breakdown", "`layers`", LayerPace, set()),
        ("headroom", "`resources`", ResourceUse, {"resource", "stage", "source"}),
    ],
)
def test_the_page_on_analyses_names_the_fields_of_a_row(
    heading: str, row: str, kind: type[msgspec.Struct], left_out: set[str]
) -> None:
    said = {cells[0]: cells[1] for cells in rows(page("analyses.md", heading), "field")}[row]
    assert set(names(said)) == set(kind.__struct_fields__) - left_out


def test_the_page_on_diff_lists_the_stages_from_the_earliest_to_the_latest(tmp_path: Path) -> None:
    stages = first_names(page("diff.md", "Stages"), "stage")
    values = [{"value": 1, "unit": "W", "stage": stage, "source": "s"} for stage in [*reversed(stages), "other"]]
    result = tmp_path / "result.json"
    result.write_text(json.dumps({"name": "n", "status": "ok", "steps": [], "metrics": {"power": values}}))
    compared = json.loads(run("diff", str(result), str(result), "--format", "json"))
    # An unknown stage comes before all that are known.
    assert [item["stage"] for item in compared["metrics"]] == ["other", *stages]
    (of_models,) = re.findall(r"`accuracy` also has the model stages (.*?)\.", page("diff.md", "Stages"), re.DOTALL)
    assert {*stages, *names(of_models)} == set(get_args(Stage))


def test_the_first_example_on_sweeps_is_the_file_that_it_names() -> None:
    (named,) = re.findall(r"^`(examples/\S+\.toml)`", page("sweeps.md", "Example"), re.MULTILINE)
    (shown,) = re.findall(r"```toml\n(.*?)```", page("sweeps.md", "Example"), re.DOTALL)
    assert tomllib.loads(shown) == tomllib.loads((ROOT / named).read_text())


def test_the_page_on_sweeps_lists_the_keys_of_a_sweep_and_of_a_range() -> None:
    keys = section("SweepSection")
    listed = rows(page("sweeps.md", "Keys of `[sweep]`"), "key | meaning")
    assert {name for row in listed for name in names(row[0])} == keys.keys()
    defaults = {names(row[0])[0]: row[2] for row in listed}
    assert int(defaults["max_points"].replace(",", "")) == keys["max_points"]["default"]
    ranges = " ".join(first_names(page("sweeps.md", "Ranges"), "range"))
    assert set(re.findall(r"(\w+) =", ranges)) == section("Span").keys()


def test_the_page_on_sweep_results_lists_the_keys_of_a_search_with_their_defaults() -> None:
    keys = section("SearchSection")
    listed = {names(row[0])[0]: row for row in rows(page("sweep-results.md", "Search"), "key")}
    assert listed.keys() == keys.keys()
    for key, (_, _, said) in listed.items():
        default = keys[key].get("default", "required")
        assert said.strip("`") == (default if default == "required" else json.dumps(default))
    assert sorted(json.loads(name) for name in names(listed["sampler"][1])) == keys["sampler"]["enum"]


def test_the_page_on_sweeps_names_the_flows_that_judge_requirements_early() -> None:
    (said,) = re.findall(r"The flows (.*?) continue after their estimates", page("sweeps.md"), re.DOTALL)
    folder = shipped("estimate.toml")

    def early(flow: str) -> bool:
        data = tomllib.loads((folder / f"{flow}.toml").read_text())
        steps = [*data.get("step", ()), *data.get("edit", {}).get("insert", ())]
        below = data.get("extends")
        return any(step.get("when") == "sweep.require" for step in steps) or (below is not None and early(below))

    assert sorted(names(said)) == sorted(flow for flow in flows() if early(flow))


PAGES = {
    "diff": "diff.md",
    "sweep": "sweeps.md",
    "results": "sweep-results.md",
    "explain": "failures.md",
    "replay": "failures.md",
    "bundle": "failures.md",
    "blueprint import": "backends.md",
    "blueprint export": "backends.md",
}


def options(command: str) -> set[str]:
    """The options that a command's help lists."""
    return set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", run(*command.split(), "--help"), re.MULTILINE)) - {"--help"}


@pytest.mark.parametrize("command", PAGES)
def test_a_page_names_every_option_of_its_command_and_no_other(command: str) -> None:
    offered, text = options(command), page(PAGES[command])
    assert {option for option in offered if not re.search(rf"{option}\b(?!-)", text)} == set()
    for line in re.findall(rf"bskernel {command} .*(?:\n +[\[-].*)*", text):
        assert set(re.findall(r"(?<![\w-])--[a-z-]+", line)) <= offered | {"--help"}, line


@pytest.mark.parametrize("command", ["diff", "results"])
def test_a_table_of_options_is_that_of_the_command(command: str) -> None:
    listed = first_names(page(PAGES[command]), "option | meaning")
    assert {text.partition(" ")[0] for text in listed} == options(command)


def test_the_page_on_diff_lists_the_choices_of_its_options() -> None:
    said = " ".join(first_names(page("diff.md", "Options"), "option")).replace("\\|", "|")
    offered = re.findall(r"(--[a-z]+) \[([a-z|]+)\]", run("diff", "--help"))
    assert re.findall(r"(--[a-z]+) ([a-z]+(?:\|[a-z]+)+)", said) == offered
