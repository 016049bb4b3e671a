"""No secret leaves a machine in a bundle: by what they are called, by what they look like, and by what one names."""

import io
import json
import tarfile

import pytest
from bskernel.commands.bundle import pack
from bskernel.core.redaction import Redactor, secrets_in
from hypothesis import given
from hypothesis import strategies as st

NAMES = {"/home/ada": "~", "ada-desk": "<host>"}
TEXT = st.text(max_size=60)
SECRET = st.text(min_size=4, max_size=20)


@given(before=TEXT, secrets=st.lists(SECRET, min_size=1, max_size=4), after=TEXT)
def test_no_given_secret_survives_in_any_text(before: str, secrets: list[str], after: str) -> None:
    redacted = Redactor(NAMES, secrets).text(before + "".join(secrets) + "/" + secrets[0] + after)
    for secret in (*secrets, *NAMES):
        assert secret not in redacted


@given(key=TEXT, secret=SECRET, other=TEXT)
def test_no_given_secret_survives_in_json_nor_as_json_writes_it(key: str, secret: str, other: str) -> None:
    redactor = Redactor(NAMES, [secret])
    value = {key: [secret, {secret: other + secret}], "more": other}
    for written in (
        redactor.json(json.dumps(value).encode("utf-8", "surrogatepass")),
        redactor.json_lines((json.dumps(value, ensure_ascii=True) + "\n").encode() * 2),
    ):
        text = written.decode("utf-8", "surrogatepass")
        for form in {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}:
            assert form not in text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("XILINXD_LICENSE_FILE=2100@lic.example.org", "XILINXD_LICENSE_FILE=<licence server>"),
        ("checked out from 2100@a.example:2100@b.example", "checked out from <licence server>"),
        ("key AKIAIOSFODNN7EXAMPLE used", "key <access key> used"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = <secret>"),
        ('"api_key": "0123456789abcdef"', '"api_key": "<secret>"'),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer <token>"),
        ("cloning https://ada:hunter22@git.example/x.git", "cloning https://<password>git.example/x.git"),
        ("pushed with ghp_0123456789abcdefABCDEF", "pushed with <token>"),
        ("written by ada.l@example.org", "written by <e-mail address>"),
        ("cannot read /scratch/projects/secret-chip/top.sv:12", "cannot read <path>/top.sv:12"),
        ("in D:/Users/Ada/chip/top.bit", "in <path>/top.bit"),
        ("/home/ada/chip/build.toml on ada-desk", "~/chip/build.toml on <host>"),
    ],
)
def test_what_looks_private_is_taken_out(text: str, redacted: str) -> None:
    assert Redactor(NAMES).text(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "estimate/latency: 12.5 images/s, 3 and/or 4",
        "ERROR: [Place 30-640] Place Check : This design requires more LUT cells",
        "finn/transformation/streamline/absorb.py:12 in apply",
        "MVAU_rtl_0: PE = 7 does not divide MH = 32; divisors: 1, 2, 4",
        "module@1.0 and https://example.org/docs/page.html",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert Redactor(NAMES).text(text) == text


def test_secrets_of_the_environment_are_known_by_their_names() -> None:
    environment = {"GITHUB_TOKEN": "t0ken-value", "PATH": "/usr/bin", "API_KEY": "abc"}
    assert secrets_in(environment) == {"t0ken-value": "GITHUB_TOKEN"}


def test_of_a_licence_every_part_is_a_secret_and_the_host_alone_too() -> None:
    environment = {"LM_LICENSE_FILE": "1@x.org:/opt/x.lic"}
    parts = ("1@x.org:/opt/x.lic", "1@x.org", "/opt/x.lic", "x.org")
    assert secrets_in(environment) == dict.fromkeys(parts, "LM_LICENSE_FILE")
    assert Redactor({}, secrets_in(environment)).text("cannot reach x.org: no route") == (
        "cannot reach <secret>: no route"
    )


def test_what_was_taken_out_is_counted_and_told() -> None:
    redactor = Redactor(NAMES, ["hunter22"])
    files = {"failure.txt": redactor.text("hunter22 and hunter22 at ada-desk in /scratch/x").encode()}
    packed = pack(files, redactor, name="bundle", model=None)
    assert packed.redacted == {"<host>": 1, "<secret>": 2, "absolute path": 1}
    with tarfile.open(fileobj=io.BytesIO(packed.data)) as tar:
        contents = tar.extractfile("bundle/CONTENTS.txt")
        assert contents is not None
        text = contents.read().decode()
    assert "failure.txt (" in text
    assert "<secret>: 2" in text
    assert "The model is not included." in text


def test_the_same_files_give_the_same_bytes() -> None:
    files = {"b.json": b"{}", "a/b.txt": b"text"}
    backwards = dict(reversed(files.items()))
    packed = [pack(held, Redactor({}), name="bundle", model={"model.onnx": b"m"}).data for held in (files, backwards)]
    assert packed[0] == packed[1]
    with tarfile.open(fileobj=io.BytesIO(packed[0])) as tar:
        members = tar.getmembers()
    names = [member.name.removeprefix("bundle/") for member in members]
    assert names == ["CONTENTS.txt", "a/b.txt", "b.json", "model.onnx"]
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}
