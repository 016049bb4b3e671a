"""Provenance and the bill of executors are what the reference validators of their formats accept."""

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from support.builds import result_of, write

BUILD = '[build]\nname = "b"\nmodel = "number.txt"\n[[step]]\nentry = "testing:double"\n'


@pytest.fixture
def built(cli: Any, tmp_path: Path) -> Path:
    done = cli("run", write(tmp_path, BUILD))
    assert done.returncode == 0, done.stderr
    return tmp_path / "build" / "b"


def exported(cli: Any, *arguments: str) -> Any:
    done = cli("export", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_provenance_is_a_valid_statement_about_the_artifacts_and_what_went_in(cli: Any, built: Path) -> None:
    found = exported(cli, str(built), "--provenance")
    # Unknown fields are errors, and `validate` checks what the specification requires.
    Statement.copy_from_pb(ParseDict(found, statement_pb2.Statement())).validate()
    ParseDict(found["predicate"], provenance_pb2.Provenance())
    assert found["predicateType"] == "https://slsa.dev/provenance/v1"
    result = result_of(built)
    subjects = {item["name"]: item["digest"]["sha256"] for item in found["subject"]}
    assert subjects == {"artifacts/model": result["artifacts"]["model"]["digest"]["sha256"]}
    definition = found["predicate"]["buildDefinition"]
    inputs = {item["name"]: item["digest"]["sha256"] for item in definition["resolvedDependencies"]}
    assert inputs == {
        "number.txt": result["origin"]["model"]["sha256"],
        "testing@1": result["origin"]["executors"]["testing@1"]["digest"],
    }
    assert "result.json" in {item["name"] for item in found["predicate"]["runDetails"]["byproducts"]}


def test_the_bill_is_valid_and_lists_each_locked_package_of_each_executor(cli: Any, built: Path, root: Path) -> None:
    found = exported(cli, str(built), "--sbom")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found)) is None
    refs = {component["bom-ref"]: component for component in found["components"]}
    lock = (root / "images" / "testing" / "1" / "requirements.lock").read_text()
    python = {ref for ref in refs if ref.startswith("pkg:pypi/")}
    assert len(python) == lock.count("==")
    assert any(ref.startswith("pkg:pypi/msgspec@") for ref in python)
    debian = [component for ref, component in refs.items() if ref.startswith("pkg:deb/")]
    packages = (root / "docker" / "debian-12-python" / "packages.lock").read_text().splitlines()
    hashes = {component["hashes"][0]["content"] for component in debian}
    assert hashes == {line.split()[0] for line in packages if not line.startswith("#")}
    (executor,) = (one for one in found["dependencies"] if one["ref"] == "testing@1")
    assert set(executor["dependsOn"]) == refs.keys() - {"testing@1"}
    assert exported(cli, str(built), "--sbom") == found


def test_nothing_is_said_of_a_damaged_build(cli: Any, built: Path) -> None:
    (built / "artifacts" / "model").write_text("7")
    done = cli("export", str(built), "--provenance")
    assert done.returncode == 8
    assert "artifacts/model: altered" in done.stderr


@pytest.mark.parametrize("wanted", [(), ("--provenance", "--sbom"), ("--sbom", "--trace")])
def test_one_form_is_exported_at_a_time(wanted: tuple[str, ...], cli: Any, built: Path) -> None:
    done = cli("export", str(built), *wanted)
    assert done.returncode == 2
    assert "one of --provenance, --sbom, --crate and --trace" in done.stderr


def test_the_trace_has_a_slice_for_each_step(cli: Any, built: Path) -> None:
    found = exported(cli, str(built), "--trace")
    steps = [step["name"] for step in json.loads((built / "result.json").read_text())["steps"]]
    named = [event["name"] for event in found["traceEvents"] if event["ph"] == "X" and event["cat"] != "wait"]
    assert named == steps
