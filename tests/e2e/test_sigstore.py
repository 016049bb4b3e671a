"""A build that an identity has signed by way of Sigstore, here an instance of the tests' own, and no network."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.builds import write
from support.sigstore_instance import ISSUER, SigstoreInstance

BUILD = '[build]\nname = "b"\nmodel = "number.txt"\n[[step]]\nentry = "testing:double"\n'
ALICE = "alice@example.com"


@pytest.fixture
def built(cli: Any, tmp_path: Path) -> Path:
    done = cli("run", write(tmp_path, BUILD))
    assert done.returncode == 0, done.stderr
    return tmp_path / "build" / "b"


@pytest.fixture
def instance(tmp_path: Path) -> SigstoreInstance:
    made = SigstoreInstance()
    (tmp_path / "root.json").write_text(made.trusted_root())
    return made


def sign(cli: Any, built: Path, instance: SigstoreInstance) -> Path:
    provenance = cli("export", str(built), "--provenance").stdout.encode()
    file = built.parent / "b.sigstore.json"
    file.write_text(instance.sign(provenance, ALICE))
    return file


def verify(cli: Any, built: Path, identity: str = ALICE, issuer: str = ISSUER) -> Any:
    root = str(built.parents[1] / "root.json")
    named = ("--signed-by-identity", identity, "--issuer", issuer)
    return cli("verify", str(built), "--runs", "0", *named, "--trusted-root", root)


def test_a_build_is_verified_by_the_identity_that_has_signed_it(
    cli: Any, built: Path, instance: SigstoreInstance
) -> None:
    sign(cli, built, instance)
    done = verify(cli, built)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"signed by {ALICE}" in done.stdout


@pytest.mark.parametrize(
    ("identity", "issuer"), [("bob@example.com", ISSUER), (ALICE, "https://accounts.google.com")]
)
def test_another_identity_or_issuer_has_not_signed_it(
    cli: Any, built: Path, instance: SigstoreInstance, identity: str, issuer: str
) -> None:
    sign(cli, built, instance)
    done = verify(cli, built, identity=identity, issuer=issuer)
    assert done.returncode == 10
    assert f"not signed by {identity}" in done.stdout


def test_the_public_instance_does_not_vouch_for_another_one(
    cli: Any, built: Path, instance: SigstoreInstance
) -> None:
    sign(cli, built, instance)
    done = cli("verify", str(built), "--runs", "0", "--signed-by-identity", ALICE, "--issuer", ISSUER)
    assert done.returncode == 10, done.stdout + done.stderr
    assert "not signed by" in done.stdout


@pytest.mark.parametrize("part", ["payload", "signature", "log", "promise", "certificate"])
def test_a_bundle_of_which_anything_is_changed_counts_for_nothing(
    cli: Any, built: Path, instance: SigstoreInstance, part: str
) -> None:
    file = sign(cli, built, instance)
    bundle, other = json.loads(file.read_text()), json.loads(SigstoreInstance().sign(b"{}", ALICE))
    entry, entry_of_other = (one["verificationMaterial"]["tlogEntries"][0] for one in (bundle, other))
    if part == "payload":
        bundle["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"]
    elif part == "signature":
        bundle["dsseEnvelope"]["signatures"] = other["dsseEnvelope"]["signatures"]
    elif part == "log":
        entry["inclusionProof"] = entry_of_other["inclusionProof"]
    elif part == "promise":
        entry["inclusionPromise"] = entry_of_other["inclusionPromise"]
    else:
        bundle["verificationMaterial"]["certificate"] = other["verificationMaterial"]["certificate"]
    file.write_text(json.dumps(bundle))
    done = verify(cli, built)
    assert done.returncode == 10, done.stdout + done.stderr


@pytest.mark.parametrize("text", ["", "{}", "[]", "bytes", '{"mediaType": 5}'])
def test_what_is_no_bundle_is_named(cli: Any, built: Path, instance: SigstoreInstance, text: str) -> None:
    (built.parent / "b.sigstore.json").write_text(text)
    done = verify(cli, built)
    assert done.returncode == 10
    assert "no bundle of Sigstore's" in done.stdout


def test_a_build_that_took_the_place_of_the_signed_one_is_not_signed(
    cli: Any, built: Path, instance: SigstoreInstance, tmp_path: Path
) -> None:
    sign(cli, built, instance)
    assert cli("run", write(tmp_path, BUILD, number=6)).returncode == 0
    done = verify(cli, built)
    assert done.returncode == 10
    assert "not the file that was signed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("verify", "--signed-by-identity", ALICE), "--signed-by-identity and --issuer go together"),
        (("verify", "--trusted-root", "root.json"), "--trusted-root needs --signed-by-identity"),
        (("export", "--sbom", "--sigstore"), "--sigstore needs --provenance"),
        (("export", "--provenance", "--sigstore", "--sign", "key.pem"), "give one of --sign and --sigstore"),
    ],
)
def test_options_that_contradict_are_refused(cli: Any, built: Path, arguments: tuple[str, ...], reason: str) -> None:
    done = cli(arguments[0], str(built), *arguments[1:])
    assert (done.returncode, reason in done.stderr) == (2, True), done.stderr


def test_a_trusted_root_that_is_none_is_named(cli: Any, built: Path, instance: SigstoreInstance) -> None:
    sign(cli, built, instance)
    (built.parents[1] / "root.json").write_text("{}")
    done = verify(cli, built)
    assert (done.returncode, "root.json: no trusted root" in done.stderr) == (2, True), done.stdout + done.stderr
