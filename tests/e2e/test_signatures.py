"""A signed build: its provenance is in an envelope that others read, and `verify --signed-by` holds it to that."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from support.builds import write
from support.signing_keys import write_pair

BUILD = '[build]\nname = "b"\nmodel = "number.txt"\n[[step]]\nentry = "testing:double"\n'


@pytest.fixture
def built(cli: Any, tmp_path: Path) -> Path:
    done = cli("run", write(tmp_path, BUILD), "--with-inputs")
    assert done.returncode == 0, done.stderr
    return tmp_path / "build" / "b"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    return write_pair(tmp_path, "ci")


def sign(cli: Any, build: Path, key: str, *more: str) -> str:
    done = cli("export", str(build), "--provenance", "--sign", key, *more)
    assert done.returncode == 0, done.stderr
    return str(done.stderr)


@pytest.mark.parametrize("kind", ["ed25519", "p256", "p384"])
def test_a_signed_build_is_verified_with_the_public_key_alone(
    kind: str, cli: Any, built: Path, tmp_path: Path
) -> None:
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}
    key = ec.generate_private_key(curves[kind]) if kind in curves else ed25519.Ed25519PrivateKey.generate()
    private, public = write_pair(tmp_path, "ci", key)
    file = built.parent / "b.intoto.jsonl"
    assert sign(cli, built, private) == f"written: {file}\n"
    Path(private).unlink()
    done = cli("verify", str(built), "--signed-by", public, "--runs", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"files, signed by {public}; nothing was built again" in done.stdout
    # The reference accepts the envelope, and what is signed is what is exported without a signature.
    envelope = Envelope.from_dict(json.loads(file.read_text()))
    envelope.verify([SSlibKey.from_crypto(load_pem_public_key(Path(public).read_bytes()))], 1)
    assert envelope.payload.decode() == cli("export", str(built), "--provenance").stdout


def test_a_second_build_of_a_signed_one_is_compared_too(cli: Any, built: Path, pair: tuple[str, str]) -> None:
    sign(cli, built, pair[0])
    done = cli("verify", str(built), "--signed-by", pair[1], "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["status"], found["signed_by"], len(found["second_builds"])) == ("verified", pair[1], 1)


def test_a_build_that_took_the_place_of_the_signed_one_is_not_signed(
    cli: Any, built: Path, pair: tuple[str, str], tmp_path: Path
) -> None:
    sign(cli, built, pair[0])
    assert cli("run", write(tmp_path, BUILD, number=6)).returncode == 0
    assert cli("verify", str(built), "--runs", "0").returncode == 0
    done = cli("verify", str(built), "--signed-by", pair[1])
    assert done.returncode == 10
    assert "artifacts/model: not the file that was signed" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("UNSIGNED: ")


def test_numbers_that_are_not_the_signed_ones_are_not_signed_though_the_artifacts_are(
    cli: Any, built: Path, pair: tuple[str, str], tmp_path: Path
) -> None:
    sign(cli, built, pair[0])
    assert (
        cli("run", write(tmp_path, BUILD, "# the same artifacts\n"), "--set", "target.target_fps=7").returncode == 0
    )
    done = cli("verify", str(built), "--signed-by", pair[1], "--runs", "0")
    assert done.returncode == 10
    assert "result.json: not the file that was signed" in done.stdout


def test_each_way_not_to_be_signed_has_exit_code_10_and_its_reason(
    cli: Any, built: Path, pair: tuple[str, str], tmp_path: Path
) -> None:
    def reason(*more: str) -> str:
        done = cli("verify", str(built), "--signed-by", pair[1], "--runs", "0", "--json", *more)
        assert done.returncode == 10, done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert found["status"] == "unsigned"
        return str(found["unsigned"])

    file = built.parent / "b.intoto.jsonl"
    assert reason() == f"{file}: no such file"
    file.write_text("")
    assert reason() == f"{file}: there is no envelope in it"
    file.write_text('{"payload": 1}\n')
    assert reason().startswith(f"{file}: no DSSE envelope: ")
    sign(cli, built, write_pair(tmp_path, "stranger")[0])
    assert reason() == f"{file}: it is not signed by {pair[1]}, but by another key"
    sign(cli, built, pair[0])
    document = json.loads(file.read_text())
    statement = base64.b64decode(document["payload"]).replace(b"artifacts/model", b"artifacts/other")
    file.write_text(json.dumps(document | {"payload": base64.b64encode(statement).decode()}))
    assert reason() == f"{file}: the signature of {pair[1]} is not valid: the envelope is not as it was signed"
    elsewhere = tmp_path / "elsewhere.jsonl"
    sign(cli, built, pair[0], "--output", str(elsewhere))
    assert cli("verify", str(built), "--signed-by", pair[1], "--runs", "0", "--signature", str(elsewhere)).stdout


def test_one_of_several_envelopes_suffices(cli: Any, built: Path, pair: tuple[str, str], tmp_path: Path) -> None:
    file = built.parent / "b.intoto.jsonl"
    stranger = write_pair(tmp_path, "stranger")
    sign(cli, built, pair[0])
    first = file.read_text()
    sign(cli, built, stranger[0])
    file.write_text(file.read_text() + first)
    for public in (pair[1], stranger[1]):
        assert cli("verify", str(built), "--signed-by", public, "--runs", "0").returncode == 0


def test_a_damaged_build_is_neither_signed_nor_said_to_be(cli: Any, built: Path, pair: tuple[str, str]) -> None:
    sign(cli, built, pair[0])
    (built / "artifacts" / "model").write_text("7")
    assert cli("verify", str(built), "--signed-by", pair[1], "--runs", "0").returncode == 8
    done = cli("export", str(built), "--provenance", "--sign", pair[0], "--output", "new.jsonl")
    assert done.returncode == 8
    assert not (built.parent.parent / "new.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "build/b", "--sbom", "--sign", "ci.pem"], "--sign needs --provenance"),
        (["export", "build/b", "--provenance", "--sign", "ci.pub"], "ci.pub: is a public key"),
        (["export", "build/b", "--provenance", "--sign", "no.pem"], "no.pem: no such file"),
        (["verify", "build/b", "--signed-by", "ci.pem"], "ci.pem: is a private key"),
        (["verify", "build/b", "--signature", "b.jsonl"], "--signature needs --signed-by"),
    ],
)
def test_a_wrong_key_is_an_error_of_the_command(
    arguments: list[str], said: str, cli: Any, built: Path, pair: tuple[str, str]
) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
