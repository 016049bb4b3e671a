"""result.json is read in one way, whoever reads it: tolerant of other versions, strict on what is needed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.core.errors import BskernelError, ConfigError
from bskernel.result.build_result import BuildResult
from bskernel.result.diff import read_build
from bskernel.result.explanation import explain
from bskernel.result.result_file import read_result
from bskernel_protocol import pretty_json


class Status(msgspec.Struct, frozen=True, kw_only=True):
    status: str


RESULT: dict[str, Any] = {
    "name": "sum",
    "status": "ok",
    "runtime": "process",
    "directory": "/build/sum",
    "seconds": 1.5,
    "steps": [{"name": "add", "executor": "testing@1", "entry": "add", "status": "ran"}],
    "artifacts": {},
}


NOT_THERE = "give a directory that `bskernel run` wrote, or its result.json"
DAMAGED = "run the build again with this version of bskernel"


def build_directory(folder: Path, result: dict[str, Any] | str | bytes | None, *, steps: bool = False) -> Path:
    folder.mkdir()
    if steps:
        (folder / "steps").mkdir()
    if isinstance(result, bytes):
        (folder / "result.json").write_bytes(result)
    elif result is not None:
        (folder / "result.json").write_text(result if isinstance(result, str) else json.dumps(result))
    return folder


def test_a_build_directory_and_its_result_json_are_read_alike(tmp_path: Path) -> None:
    build = build_directory(tmp_path / "sum", RESULT)
    found = read_result(build, BuildResult)
    assert found == read_result(build / "result.json", BuildResult)
    assert found.directory == Path("/build/sum")
    assert json.loads(pretty_json(found))["steps"][0]["name"] == "add"


def test_a_copied_result_of_another_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text(json.dumps(RESULT))
    assert read_result(tmp_path / "base.json", Status).status == "ok"


def test_fields_that_other_versions_write_are_ignored_and_needed_ones_are_not(tmp_path: Path) -> None:
    later = RESULT | {"later": {"x": 1}, "steps": [RESULT["steps"][0] | {"later": 2}]}
    build = build_directory(tmp_path / "later", later)
    assert read_result(build, BuildResult).steps[0].name == "add"
    assert read_build(build).steps[0].name == "add"
    earlier = {name: value for name, value in RESULT.items() if name != "seconds"}
    build = build_directory(tmp_path / "earlier", earlier)
    assert read_result(build, Status).status == "ok"
    with pytest.raises(ConfigError, match="`seconds`"):
        read_result(build, BuildResult)


def read_it(build: Path) -> object:
    return read_result(build, BuildResult)


def explain_it(build: Path) -> object:
    return explain(build, "add")


@pytest.mark.parametrize("read", [read_it, explain_it, read_build])
@pytest.mark.parametrize(
    ("result", "steps", "why", "hint"),
    [
        (None, False, "no such file: {build} is not a build directory", NOT_THERE),
        (None, True, "no such file: the build is running, or was killed", "run it again: finished steps are cached"),
        ("{", False, "not the result of a build: Input data was truncated", DAMAGED),
        (b'{"name": "\xff"}', False, "not the result of a build: ", DAMAGED),
        ({}, False, "not the result of a build: Object missing required field `name`", DAMAGED),
        (RESULT | {"steps": [{}]}, False, "not the result of a build: Object missing required field `name`", DAMAGED),
    ],
)
def test_every_reader_names_the_file_what_is_wrong_and_what_to_do(
    tmp_path: Path, read: Callable[[Path], object], result: Any, steps: bool, why: str, hint: str
) -> None:
    build = build_directory(tmp_path / "sum", result, steps=steps)
    with pytest.raises(ConfigError) as refused:
        read(build)
    assert refused.value.message.startswith(f"{build}/result.json: {why.format(build=build)}")
    assert refused.value.hint == hint


@pytest.mark.parametrize("read", [read_it, explain_it, read_build])
def test_a_path_that_leads_nowhere_and_a_folder_called_result_json_are_refused(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(BskernelError) as refused:
        read(tmp_path / "nowhere")
    assert refused.value.message == f"{tmp_path}/nowhere: no such file"
    assert refused.value.exit_code == 2
    (tmp_path / "sum" / "result.json").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"result\.json: is not a plain file"):
        read(tmp_path / "sum")


def test_a_step_is_explained_by_the_result_json_of_its_build_too(tmp_path: Path) -> None:
    build = build_directory(tmp_path / "sum", RESULT)
    assert explain(build / "result.json", "add") == explain(build, "add")
