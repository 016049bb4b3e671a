"""A lock says what decides a build's bytes, and `run --locked` builds exactly that, or says what differs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from bskernel.images.engine import connect
from support.builds import result_of, statuses, write
from support.own_checkout import make_own_checkout

BUILD = """
[build]
name = "b"
model = "number.txt"
[target]
target_fps = 3
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
"""
FLOW = 'summary = "two steps"\n[[step]]\nentry = "testing:double"\n[[step]]\nentry = "testing:weigh"\n'
GIVEN = """
[build]
name = "b"
model = "../models/number.txt"
flow = "flows/mine.toml"
[step.weigh]
inputs.numbers = "../../numbers"
"""


def locked(folder: Path, name: str = "build.lock") -> Any:
    return json.loads((folder / name).read_text())


def test_the_lock_of_a_build_is_the_one_on_demand_in_every_place(cli: Any, tmp_path: Path) -> None:
    texts = set()
    for name in ("here", "a longer path/there"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = write(folder, BUILD)
        assert cli("lock", config).returncode == 0
        assert cli("run", config, "--locked").returncode == 0
        texts |= {(folder / "build.lock").read_text(), (folder / "build" / "b" / "build.lock").read_text()}
    assert len(texts) == 1
    lock = json.loads(texts.pop())
    assert [step["name"] for step in lock["flow"]] == ["double", "add"]
    assert lock["flow"][1]["parameters"] == {"number": 3}
    assert lock["executors"].keys() == {"testing@1"}
    assert str(tmp_path) not in json.dumps(lock)


def test_a_locked_build_refuses_whatever_differs_and_names_it(cli: Any, root: Path, tmp_path: Path) -> None:
    config = write(tmp_path, BUILD)
    assert "no such file" in cli("run", config, "--locked").stderr
    assert cli("lock", config).returncode == 0
    assert "unchanged" in cli("lock", config).stdout
    for change, key in (
        (("--set", "target.target_fps=4"), "flow.add.parameters.number: was 3, is 4"),
        (("--set", "build.salt=x"), 'config.build.salt: was "", is "x"'),
        (("--to", "double"), "flow.add: was"),
    ):
        done = cli("run", config, "--locked", *change)
        assert done.returncode == 7
        assert key in done.stderr
    (tmp_path / "number.txt").write_text("6")
    done = cli("run", config, "--locked")
    assert done.returncode == 7
    assert 'files."number.txt".sha256: was' in done.stderr
    assert not (tmp_path / "build").exists()


def test_an_executor_s_changed_code_is_named_and_one_upgrade_accepts_it(
    cli: Any, surroundings: dict[str, str], root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "checkout"
    other.mkdir()
    for path in root.iterdir():
        if path.name in {"images", "testing_executor"}:
            shutil.copytree(path.resolve(), other / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (other / path.name).symlink_to(path.resolve())
    surroundings["BSKERNEL_ROOT"] = str(other)
    config = write(tmp_path, BUILD)
    assert cli("lock", config).returncode == 0
    before = locked(tmp_path)
    with (other / "testing_executor" / "arithmetic.py").open("a") as file:
        file.write("# changed\n")
    done = cli("run", config, "--locked")
    assert done.returncode == 7
    assert "executors.testing@1.sources: was" in done.stderr
    assert "environment" not in done.stderr
    assert "--upgrade testing" in done.stderr
    assert "did you mean 'testing'" in cli("lock", config, "--upgrade", "testin").stderr
    # Something else that differs stays as it was locked, and is said.
    done = cli("lock", config, "--upgrade", "testing", "--set", "target.target_fps=4")
    assert done.returncode == 0, done.stderr
    assert "flow.add.parameters.number: was 3, is 4" in done.stdout
    after = locked(tmp_path)
    assert {key for key in before if before[key] != after[key]} == {"executors"}
    assert cli("run", config, "--locked").returncode == 0


@pytest.mark.parametrize("file", ["build.toml", "net.toml"])
def test_the_configuration_of_a_build_that_has_its_name_from_a_file_runs_too(
    file: str, cli: Any, tmp_path: Path
) -> None:
    (tmp_path / write(tmp_path, BUILD.replace('name = "b"\n', ""))).rename(tmp_path / file)
    assert cli("run", file, "--output", "out").returncode == 0
    done = cli("run", "out/config.json", "--locked")
    assert done.returncode == 0, done.stderr


def test_the_configuration_in_a_build_directory_runs_and_is_the_same_build(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, BUILD)
    assert cli("run", config, "--to", "double", "--output", "elsewhere/out").returncode == 0
    build = tmp_path / "elsewhere" / "out"
    before = (build / "build.lock").read_text(), (build / "config.json").read_text()
    done = cli("run", str(build / "config.json"), "--locked")
    assert done.returncode == 0, done.stderr
    assert statuses(build) == {"double": "recalled"}
    assert ((build / "build.lock").read_text(), (build / "config.json").read_text()) == before
    # The build.toml is still the one that may write there.
    assert cli("run", config, "--output", str(build)).returncode == 0


def test_a_build_with_its_inputs_needs_nothing_else(
    cli: Any, surroundings: dict[str, str], environments: Path, tmp_path: Path
) -> None:
    project = tmp_path / "deep" / "project"
    for folder in (project / "flows", tmp_path / "deep" / "models", tmp_path / "numbers"):
        folder.mkdir(parents=True)
    (tmp_path / "deep" / "models" / "number.txt").write_text("5")
    for name in ("a", "b"):
        (tmp_path / "numbers" / name).write_text("4")
    (project / "flows" / "mine.toml").write_text(FLOW)
    (project / "build.toml").write_text(GIVEN)
    done = cli("run", str(project / "build.toml"), "--with-inputs")
    assert done.returncode == 0, done.stderr
    made = result_of(project / "build" / "b")
    away = tmp_path / "away"
    shutil.copytree(project / "build" / "b", away)
    for gone in ("deep", "numbers", "cache"):
        shutil.rmtree(tmp_path / gone)
    (tmp_path / "cache").mkdir()
    for name in ("envs", "code", "bases", "packages"):
        (tmp_path / "cache" / name).symlink_to(environments / name)
    done = cli("run", str(away / "config.json"), "--locked")
    assert done.returncode == 0, done.stderr
    again = result_of(away)
    assert statuses(again) == {"double": "ran", "weigh": "ran"}
    assert [step["outputs"] for step in again["steps"]] == [step["outputs"] for step in made["steps"]]


def test_inputs_are_renewed_by_each_build_and_files_of_the_user_s_are_kept(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, BUILD)
    assert cli("run", config, "--with-inputs").returncode == 0
    build = tmp_path / "build" / "b"
    (build / "inputs" / "notes").write_text("mine")
    write(tmp_path, BUILD.replace("number.txt", "other.txt"))
    (tmp_path / "other.txt").write_text("6")
    assert cli("run", config).returncode == 0
    assert [path.name for path in (build / "inputs").iterdir()] == ["other.txt"]
    assert (build / "kept" / "inputs" / "notes").read_text() == "mine"


def test_the_lock_of_a_build_directory_is_the_build_s(cli: Any, tmp_path: Path) -> None:
    assert cli("run", write(tmp_path, BUILD)).returncode == 0
    done = cli("lock", str(tmp_path / "build" / "b" / "config.json"))
    assert done.returncode == 2
    assert "part of the build directory" in done.stderr


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1'])
def test_a_damaged_config_json_is_refused_by_name(text: str, cli: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    done = cli("run", "config.json")
    assert done.returncode == 2
    assert "config.json: not valid JSON" in done.stderr


@pytest.mark.container
@pytest.mark.parametrize("runtime", ["docker"], indirect=True)
def test_a_lock_that_pins_images_refuses_another_under_the_right_labels(
    cli: Any, surroundings: dict[str, str], root: Path, tmp_path: Path
) -> None:
    make_own_checkout(root, tmp_path / "checkout", "pinned")
    surroundings["BSKERNEL_ROOT"] = str(tmp_path / "checkout")
    config = write(tmp_path, BUILD)
    done = cli("lock", config, "--images")
    assert done.returncode == 0, done.stderr
    lock = locked(tmp_path)
    image = lock["executors"]["testing@pinned"]["image"]
    assert cli("run", config, "--locked").returncode == 0
    assert (tmp_path / "build" / "b" / "build.lock").read_text() == (tmp_path / "build.lock").read_text()
    # The process runtime builds the same, and says that it did not look.
    done = cli("run", config, "--locked", "--runtime", "process")
    assert (done.returncode, "it pins images" in done.stderr) == (0, True)
    assert (tmp_path / "build" / "b" / "build.lock").read_text() == (tmp_path / "build.lock").read_text()
    # A lock that pins them goes on to.
    assert "unchanged" in cli("lock", config).stdout
    client = connect()
    container = client.create_container(image, command=["true"])["Id"]
    stranger = client.commit(container, repository="bskernel/testing", tag="pinned", message="other")["Id"]
    client.remove_container(container)
    done = cli("run", config, "--locked")
    assert done.returncode == 7
    assert f'executors.testing@pinned.image: was "{image}", is "{stranger}"' in done.stderr
    assert "bskernel images check" in done.stderr
    client.remove_image("bskernel/testing:pinned")
    assert cli("run", config, "--locked").returncode == 0
    client.close()
