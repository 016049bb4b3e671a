"""A build as an RO-Crate: the validator of its profile accepts it, other tools read it, and it can be verified."""

import hashlib
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.lock.build_lock import BuildLock
from bskernel.lock.lock_file import read_lock
from support.builds import write
from support.own_environment import make_environment
from support.paths import TESTS

VALIDATORS = TESTS / "crate_validators"
BUILD = """
[build]
name = "b"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:measure-tree"
"""
FAILED = BUILD.replace("testing:measure-tree", "testing:misbehave") + 'parameters = { how = "raise" }\n'
# What the profiles recommend and bskernel does not know: who made the build, and under which licence.
UNKNOWN = {
    "ro-crate-1.1_22.1": "license type",
    "ro-crate-1.1_22.2": "author",
    "ro-crate-1.1_22.3": "publisher",
    "process-run-crate-0.5_3.2": "have a url",
    "process-run-crate-0.5_5.1": "absolute URI",  # one that begins with http
    "process-run-crate-0.5_8.6": "agent that is a Person or Organization",
}


@pytest.fixture
def built(cli: Any, tmp_path: Path) -> Path:
    done = cli("run", write(tmp_path, BUILD), "--with-inputs")
    assert done.returncode == 0, done.stderr
    return tmp_path / "build" / "b"


def exported(cli: Any, build: Path, target: Path) -> Path:
    done = cli("export", str(build), "--crate", str(target))
    assert done.returncode == 0, done.stderr
    return target


def read_lock_text(cli: Any, folder: Path) -> BuildLock:
    assert cli("lock", write(folder, BUILD)).returncode == 0
    return read_lock(folder / "build.lock")


def metadata_of(crate: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((crate / "ro-crate-metadata.json").read_text())
    return {entity["@id"]: entity for entity in found["@graph"]}


def validated(*crates: Path) -> dict[str, Any]:
    python = make_environment("crates", VALIDATORS / "requirements.txt")
    command = [str(python), str(VALIDATORS / "validate.py"), *map(str, crates)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.env
def test_the_validator_of_the_profile_accepts_crates_of_builds_of_each_kind(
    cli: Any, built: Path, tmp_path: Path
) -> None:
    crates = [exported(cli, built, tmp_path / "folder"), exported(cli, built, tmp_path / "file.zip")]
    assert cli("run", write(tmp_path, BUILD), "--output", "bare").returncode == 0
    crates.append(exported(cli, tmp_path / "bare", tmp_path / "without-inputs"))
    assert cli("run", write(tmp_path, FAILED), "--output", "failed").returncode == 3
    crates.append(exported(cli, tmp_path / "failed", tmp_path / "of-a-failure"))
    broken = shutil.copytree(crates[0], tmp_path / "broken")
    text = (broken / "ro-crate-metadata.json").read_text()
    (broken / "ro-crate-metadata.json").write_text(text.replace("CreateAction", "Thing"))
    found = validated(*crates, broken)
    for crate in crates:
        one = found[str(crate)]
        assert one["checks"] > 140  # none of which needs a network
        assert one["skipped"] == 0
        assert {check for _, check, _ in one["issues"]} <= UNKNOWN.keys(), one["issues"]
        for level, check, message in one["issues"]:
            assert level == "RECOMMENDED"
            assert UNKNOWN[check] in message
    assert "REQUIRED" in {level for level, _, _ in found[str(broken)]["issues"]}
    report = found[str(crates[0])]["report"]
    assert "b/inputs/number.txt <- #input/number.txt" in report
    assert "b/artifacts/parts/ <- #output/parts" in report


@pytest.mark.parametrize("form", ["folder", "file.zip"])
def test_a_crate_holds_a_build_directory_that_verifies(form: str, cli: Any, built: Path, tmp_path: Path) -> None:
    crate = exported(cli, built, tmp_path / form)
    if form.endswith(".zip"):
        shutil.unpack_archive(crate, tmp_path / "unpacked")
        with zipfile.ZipFile(crate) as archive:
            for entry in archive.infolist():  # which Python leaves out
                (tmp_path / "unpacked" / entry.filename).chmod(entry.external_attr >> 16 & 0o777)
        crate = tmp_path / "unpacked"
    done = cli("verify", str(crate / "b"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VERIFIED" in done.stdout
    assert "bskernel verify b" in (crate / "README.md").read_text()


def test_the_metadata_has_the_digest_of_every_file_and_names_what_went_in_and_came_out(
    cli: Any, built: Path, tmp_path: Path
) -> None:
    crate = exported(cli, built, tmp_path / "crate")
    found = metadata_of(crate)
    files = [path for path in crate.rglob("*") if path.is_file() and path.parent != crate]
    assert {str(path.relative_to(crate)) for path in files} == {name for name in found if "sha256" in found[name]} - {
        name for name in found if name.startswith("urn:")
    }
    for path in files:
        entity = found[str(path.relative_to(crate))]
        assert entity["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entity["contentSize"] == str(path.stat().st_size)
    assert found["./"]["mainEntity"] == {"@id": "b/build.lock"}
    run = found["#build"]
    assert run["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert run["object"] == {"@id": "b/inputs/number.txt"}
    assert {"@id": "b/artifacts/parts/"} in run["result"]
    assert run["startTime"] <= run["endTime"]
    assert found["urn:bskernel:executor:testing@1"]["softwareVersion"] == "1"


def test_a_crate_without_the_inputs_names_their_digests_and_that_of_a_failure_its_message(
    cli: Any, tmp_path: Path
) -> None:
    assert cli("run", write(tmp_path, FAILED)).returncode == 3
    found = metadata_of(exported(cli, tmp_path / "build" / "b", tmp_path / "crate"))
    run, given = found["#build"], found["#input-value/number.txt"]
    assert run["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert run["error"]
    assert run["object"] == {"@id": "#input-value/number.txt"}
    assert given["value"] == f"sha256:{hashlib.sha256(b'5').hexdigest()}"


def test_the_same_build_gives_the_same_bytes(cli: Any, built: Path, tmp_path: Path) -> None:
    one, two = (exported(cli, built, tmp_path / f"{name}.zip") for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_the_name_in_a_lock_leads_nowhere(cli: Any, tmp_path: Path) -> None:
    """It is the name of a folder in the crate, and a lock can say anything."""
    lock = read_lock_text(cli, tmp_path)
    for name, label in (
        ("../../x", "build"),
        ("/etc", "build"),
        ("..", "build"),
        ("", "build"),
        ("my net", "my net"),
    ):
        assert msgspec.structs.replace(lock, name=name).label == label


def test_nothing_is_written_over_anything_and_nothing_of_a_damaged_build(
    cli: Any, built: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    done = cli("export", str(built), "--crate", "taken")
    assert done.returncode == 2
    assert "already exists" in done.stderr
    done = cli("export", str(built), "--crate", str(built / "crate"))
    assert done.returncode == 2
    assert "is in the build directory" in done.stderr
    done = cli("export", str(built), "--crate", "nowhere/crate")
    assert done.returncode != 0
    assert "nowhere/crate" in done.stderr
    done = cli("export", str(built), "--crate", "crate", "--output", "file")
    assert done.returncode == 2
    assert "--crate names the folder or file" in done.stderr
    (built / "artifacts" / "model").write_text("7")
    done = cli("export", str(built), "--crate", "crate")
    assert done.returncode == 8
    assert not (tmp_path / "crate").exists()
    assert not [path for path in tmp_path.iterdir() if ".tmp-" in path.name]
