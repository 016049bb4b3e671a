"""A project is data until its user trusts it: no command runs a cloned folder's programs, or harms other files."""

import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from bskernel_protocol import StepManifest, canonical_bytes
from support.paths import BSKERNEL
from vivado_stand_in.install import make_install

Call = Callable[..., "subprocess.CompletedProcess[str]"]
STEPS = '[[step]]\nentry = "testing:double"\n'
BUILD = f'[build]\nname = "b"\nmodel = "number.txt"\n{STEPS}'
TOOL = (
    '[build]\nname = "b"\nmodel = "number.txt"\n[tools.vivado]\n{keys}\n[[step]]\nentry = "testing:ask-tool"\n{more}'
)
MINE = "the user's own words"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "number.txt").write_text("5")
    (folder / "build.toml").write_text(BUILD)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "notes").write_text(MINE)
    return folder


@pytest.fixture
def call(surroundings: dict[str, str], project: Path, home: Path) -> Call:
    """The command as its user calls it in the project's folder, trusting nothing."""
    surroundings.pop("BSKERNEL_TRUST")
    surroundings |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}

    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BSKERNEL, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=project,
            env=surroundings | variables,
            timeout=300,
        )

    return run


def refused(done: "subprocess.CompletedProcess[str]", *says: str) -> None:
    assert done.returncode == 6, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for text in (*says, "bskernel trust"):
        assert text in done.stderr


def make_evil(project: Path, home: Path, name: str = "tool") -> Path:
    """A tool of the project that says when it is run."""
    tool = make_install(project / name)
    program = tool / "bin" / "vivado"
    program.write_text(program.read_text().replace("#!/bin/sh", f"#!/bin/sh\necho ran >> {home}/ran", 1))
    return tool


# Tools

VARIANTS = {
    "a folder": 'path = "{relative}"',
    "an absolute path": 'path = "{absolute}"',
    "out and in again": 'path = "../project/{relative}"',
    "through another place": 'path = "/opt/../{absolute}"',
    "a link": 'path = "link"',
    "a version": '[tools.vivado.versions]\n"2024.2" = "{relative}"',
    "another clone": 'path = "../other/{relative}"',
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_command_runs_a_tool_that_a_project_names(call: Call, project: Path, home: Path, variant: str) -> None:
    tool = make_evil(project, home)
    make_evil(project.parent / "other", home)
    (project / "link").symlink_to(tool)
    relative = str(tool.relative_to(project))
    keys = VARIANTS[variant].format(relative=relative, absolute=tool)
    more = 'tools = { vivado = "2024.2" }\n' if variant == "a version" else ""
    (project / "build.toml").write_text(TOOL.format(keys=keys, more=more))
    own = ("--store", str(home), "--mode", "write-through")
    commands = [("plan",), ("run",), ("up",), ("store", "push", *own), ("store", "pull", *own[:2])]
    for command in commands if variant == "a folder" else commands[:2]:
        refused(call(*command, "build.toml"), "build.toml", "tools.vivado.")
    assert call("doctor").returncode in {0, 4}
    assert not (home / "ran").exists()
    assert not (project / "build").exists()


def test_a_point_of_a_sweep_names_no_tool_either(call: Call, project: Path, home: Path) -> None:
    tool = make_evil(project, home).relative_to(project)
    sweep = f'[sweep.grid]\n"tools.vivado.path" = ["{tool}"]\n'
    (project / "build.toml").write_text(TOOL.format(keys="", more="") + sweep)
    for given in ((), ("--set", "tools.vivado.path=/opt/Xilinx/Vivado/2024.2")):
        refused(call("sweep", "build.toml", *given), "tools.vivado.path")
        refused(call("plan", "build.toml", *given), "tools.vivado.path")
    assert not (home / "ran").exists()


def test_trust_is_asked_for_once_and_again_when_the_tool_changes(call: Call, project: Path, home: Path) -> None:
    tool = make_evil(project, home)
    (project / "build.toml").write_text(TOOL.format(keys=f'path = "{tool.relative_to(project)}"', more=""))
    assert "tools.vivado.path" in call("trust", "--show", "build.toml").stdout
    refused(call("plan", "build.toml"))
    done = call("trust")
    assert done.returncode == 0, done.stderr
    assert "tools.vivado.path" in done.stdout
    assert not (home / "ran").exists()
    assert not list(project.glob("**/trust.json"))
    assert call("plan", "build.toml").returncode == 0
    assert (home / "ran").exists()
    assert str(project) in call("trust", "--list").stdout
    # What `git pull` could bring, and what the user was not asked about.
    (home / "ran").unlink()
    (tool / "data" / "more").write_text("another file")
    refused(call("plan", "build.toml"))
    assert not (home / "ran").exists()
    assert call("trust", "build.toml").returncode == 0
    assert call("plan", "build.toml").returncode == 0
    assert "no longer trusted" in call("trust", "--remove", "build.toml").stdout
    refused(call("plan", "build.toml"))


def test_the_user_trusts_by_the_environment_the_command_line_or_a_file_of_their_own(
    call: Call, project: Path, home: Path
) -> None:
    tool = make_evil(project, home)
    (project / "build.toml").write_text(TOOL.format(keys=f'path = "{tool}"', more=""))
    assert call("plan", "build.toml", BSKERNEL_TRUST=str(project)).returncode == 0
    assert call("plan", "build.toml", BSKERNEL_TRUST=f"/nowhere:{project.parent}").returncode == 0
    assert call("plan", "build.toml", "--set", f"tools.vivado.path={tool}").returncode == 0
    assert (
        call("plan", "build.toml", XILINX_VIVADO=str(tool)).returncode == 6
    )  # what is in a project stays the project's
    for said in ("0", "", "/nowhere"):
        refused(call("plan", "build.toml", BSKERNEL_TRUST=said))
    assert call("plan", "build.toml", BSKERNEL_TRUST="project").returncode == 2
    config = home / "config" / "bskernel"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(f'[trust]\ntools = ["{tool.parent}"]\n')
    assert call("plan", "build.toml").returncode == 0
    (config / "config.toml").chmod(0o666)
    done = call("plan", "build.toml")
    assert (done.returncode, "other users" in done.stderr) == (2, True)


def test_a_program_beside_the_project_is_not_found_through_a_relative_path(
    call: Call, project: Path, home: Path
) -> None:
    tool = make_evil(project, home)
    (project / "bin").symlink_to(tool / "bin")
    search = f"bin:.:{os.environ['PATH']}"
    assert call("doctor", PATH=search, XILINX_VIVADO="tool/Vivado/2024.2").returncode in {0, 4}
    assert not (home / "ran").exists()


# Stores


def test_a_store_that_a_project_names_is_neither_read_nor_written(call: Call, project: Path, home: Path) -> None:
    shared = project / "shared"
    shared.mkdir()
    for table in ('shared = "shared"', f'shared = "{shared}"\nmode = "write-through"', 'shared = "ssh://h/x"'):
        (project / "build.toml").write_text(f"[store]\n{table}\n{BUILD}")
        for command in ("run", "plan"):
            refused(call(command, "build.toml"), "store.shared")
        refused(call("store", "push", "build.toml"), "store.shared")
        refused(call("store", "pull", "build.toml"), "store.shared")
        refused(call("store", "stat", "--config", "build.toml"), "store.shared")
    assert list(shared.iterdir()) == []
    # The user's own store needs no question, but for a project that wants to write to it.
    (project / "build.toml").write_text(BUILD)
    assert call("run", "build.toml", BSKERNEL_STORE=str(shared)).returncode == 0
    (project / "build.toml").write_text(f'[store]\nmode = "write-through"\n{BUILD}')
    refused(call("run", "build.toml", BSKERNEL_STORE=str(shared)), "store.mode")
    own = {"BSKERNEL_STORE": str(shared), "BSKERNEL_STORE_MODE": "write-through"}
    assert call("run", "build.toml", **own).returncode == 0


def test_a_store_is_trusted_with_its_options_and_no_other(call: Call, project: Path, home: Path) -> None:
    (project / "shared").mkdir()
    (project / "build.toml").write_text(f'[store]\nshared = "shared"\n{BUILD}')
    assert call("trust").returncode == 0
    assert call("run", "build.toml").returncode == 0
    (project / "build.toml").write_text(f'[store]\nshared = "shared"\nmode = "write-back"\n{BUILD}')
    refused(call("run", "build.toml"), "store.mode")
    (project / "build.toml").write_text(f'[store]\nshared = "other"\n{BUILD}')
    refused(call("run", "build.toml"), "store.shared")
    config = home / "config" / "bskernel" / "config.toml"
    config.write_text(f'[trust]\nstores = ["{project}/other"]\n')
    (project / "other").mkdir()
    assert call("run", "build.toml").returncode == 0


@pytest.mark.parametrize(
    "table",
    [
        'shared = "ssh://h/x"\noptions = { proxy_command = "touch ran" }',
        'shared = "ssh://h/x"\noptions = { config = "config" }',
        'shared = "ssh://h/x"\noptions = { tunnel = "other" }',
        'shared = "ssh://h/x"\noptions = { known_hosts = { a = 1 } }',
        'shared = "ssh://h;touch ran/x"',
        'shared = "ssh://-oProxyCommand=x/y"',
        'shared = "s3://b"\noptions = { profile = "evil" }',
        'shared = "s3://b"\noptions = { client_kwargs = { verify = false } }',
        'shared = "filecache::s3://b"\noptions = { target_options = { anon = true } }',
        'shared = "simplecache::file:///x"',
        'shared = "github://a:b@/"',
        'shared = "reference://x"',
        'shared = "local://x::y"',
        'shared = "shared"\noptions = { auto_mkdir = true }',
    ],
)
def test_options_and_urls_that_could_start_programs_are_refused_even_when_trusted(
    call: Call, project: Path, table: str
) -> None:
    (project / "build.toml").write_text(f"[store]\n{table}\n{BUILD}")
    done = call("run", "build.toml", BSKERNEL_TRUST="1")
    assert (done.returncode, "store." in done.stderr) == (2, True), done.stderr
    assert not (project / "ran").exists()


def test_a_file_outside_the_project_does_not_reach_its_store(call: Call, project: Path, home: Path) -> None:
    (project / "shared").mkdir()
    store = '[store]\nshared = "shared"\nmode = "write-through"\n'
    (project / "build.toml").write_text(store + BUILD)
    assert call("trust").returncode == 0
    assert call("run", "build.toml").returncode == 0
    before = sorted((project / "shared").rglob("*"))
    (project / "link.txt").symlink_to(home / "notes")
    for path in ("../home/notes", str(home / "notes"), "link.txt"):
        (project / "build.toml").write_text(store + BUILD.replace("number.txt", path))
        refused(call("run", "build.toml"), "input model")
        (project / "build.toml").write_text(f'{store}{BUILD}inputs = {{ model = "{path}" }}\n')
        refused(call("run", "build.toml"), "input model", path)
    assert sorted((project / "shared").rglob("*")) == before


def test_what_one_project_took_from_its_store_no_other_recalls(call: Call, project: Path, home: Path) -> None:
    """A result that its store made up, in the project that trusts the store and nowhere else."""
    (project / "shared").mkdir()
    trusted = {"BSKERNEL_TRUST": "1"}
    (project / "build.toml").write_text(f'[store]\nshared = "shared"\nmode = "write-through"\n{BUILD}')
    forger = home / "forger"
    forger.mkdir()
    for name in ("envs", "code"):
        (forger / name).symlink_to((Path(call_cache(call)) / name).resolve())
    assert call("run", "build.toml", BSKERNEL_CACHE=str(forger), **trusted).returncode == 0
    forge(project / "shared", b"10", b"66")
    assert call("run", "build.toml", **trusted).returncode == 0
    assert (project / "build" / "b" / "artifacts" / "model").read_text() == "66"
    other = home / "other"
    other.mkdir()
    (other / "number.txt").write_text("5")
    (other / "build.toml").write_text(BUILD)
    assert call("run", str(other / "build.toml")).returncode == 0
    assert (other / "build" / "b" / "artifacts" / "model").read_text() == "10"


def call_cache(call: Call) -> str:
    return json.loads(call("store", "stat", "--json").stdout)["local"]["where"]  # type: ignore[no-any-return]


def forge(store: Path, old: bytes, new: bytes) -> None:
    """Let the results of a store name other bytes than the step made, sealed as whoever can write there can seal."""
    from bskernel.store.seal import seal, unseal
    from bskernel_protocol import digest_of_bytes

    blob = store / "blobs" / digest_of_bytes(new).sha256[:2] / digest_of_bytes(new).sha256
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(new)
    (result,) = (store / "actions").glob("*/*")
    sha = digest_of_bytes(old).sha256.encode()
    body = unseal(result.name, result.read_bytes())
    assert body is not None
    assert sha in body
    result.write_bytes(seal(result.name, body.replace(sha, digest_of_bytes(new).sha256.encode())))


# Clusters


@pytest.mark.parametrize(
    "key",
    ['prologue = ["touch ran"]', 'python = "./tool"', 'queue = "q\\ntouch ran"', 'cache = "$HOME"', 'logs = ".."'],
)
def test_a_cluster_s_jobs_take_no_text_of_a_project(call: Call, project: Path, key: str) -> None:
    (project / "shared").mkdir()
    (project / "build.toml").write_text(f"{BUILD}[cluster]\n{key}\n")
    own = {"BSKERNEL_STORE": str(project / "shared"), "BSKERNEL_STORE_MODE": "write-through"}
    refused(call("run", "build.toml", "--cluster", "slurm", **own), f"cluster.{key.split()[0]}")


# Where a build writes


@pytest.mark.parametrize("output", [".", "src", "./src/..", "src/"])
def test_a_folder_that_no_build_made_is_not_taken(call: Call, project: Path, output: str) -> None:
    for folder in (project / "artifacts", project / "src" / "artifacts"):
        folder.mkdir(parents=True)
        (folder / "mine").write_text(MINE)
        (folder.parent / "metrics.json").write_text(MINE)
    (project / "build.toml").write_text(BUILD.replace("[[step]]", f'output = "{output}"\n[[step]]'))
    before = files_of(project)
    for given in ((), ("--output", output)):
        done = call("run", "build.toml", *given)
        assert (done.returncode, "no build made" in done.stderr) == (2, True), done.stderr
    assert files_of(project) == before
    (project / "build.toml").write_text(f"{BUILD}[sweep]\npoint = [{{}}]\n")
    (project / "build" / "b-sweep").mkdir(parents=True)
    (project / "build" / "b-sweep" / "mine").write_text(MINE)
    before = files_of(project)
    for given in ((), ("--output", output)):
        assert call("sweep", "build.toml", *given).returncode == 2
    assert files_of(project) == before


@pytest.mark.parametrize("output", ["..", "../other", "/tmp/x", "../home", "build/../../home"])
def test_a_folder_outside_the_project_needs_trust_or_the_command_line(
    call: Call, project: Path, home: Path, output: str
) -> None:
    (project / "build.toml").write_text(BUILD.replace("[[step]]", f'output = "{output}"\n[[step]]'))
    refused(call("run", "build.toml"), "build.output", output)
    assert files_of(home) == {"notes": MINE}
    assert call("run", "build.toml", "--output", "out").returncode == 0
    if output == "../other":
        assert call("run", "build.toml", "--set", 'build.output="../third"').returncode == 0
        assert call("trust").returncode == 0
        assert call("run", "build.toml").returncode == 0
        assert (project.parent / "other" / "result.json").is_file()


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "config" not in path.relative_to(folder).parts[:1]
    }


@pytest.mark.parametrize(
    "name", ["build", "build/b", "build/b/steps", "build/b/artifacts", "build/b/steps/00-double"]
)
def test_a_link_in_place_of_a_folder_is_not_followed(call: Call, project: Path, home: Path, name: str) -> None:
    assert call("run", "build.toml").returncode == 0
    move_away(project / name)
    (project / name).symlink_to(home)
    done = call("run", "build.toml", "--fresh")
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"{project / name} is a link to {home}" in done.stderr
    assert files_of(home) == {"notes": MINE}


def move_away(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.away"))


WRITTEN = (
    "log.jsonl", "result.json", "metrics.json", "config.json", "failure.txt", ".config", ".stamp", ".files",
    ".result.json.new", ".config.json.new", ".metrics.json.new", "..config.new", "artifacts/.digests.json",
    "artifacts/model", "steps/00-double/log.jsonl", "steps/00-double/action.msgpack",
    "steps/00-double/manifest.msgpack",
    "steps/00-double/.log.jsonl.new", "steps/00-double/.action.msgpack.new",
)  # fmt: skip


@pytest.mark.parametrize("marked", [True, False])
def test_a_link_in_place_of_a_file_is_replaced_and_not_written_through(
    call: Call, project: Path, home: Path, marked: bool
) -> None:
    """Every name of a build directory, in a clone that brings the mark of one or not."""
    build = project / "build" / "b"
    for name in WRITTEN:
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).symlink_to(home / "notes")
    if marked:
        (build / ".bskernel-output").touch()
    done = call("run", "build.toml")
    assert done.returncode == (0 if marked else 2), done.stderr
    (project / "build.toml").write_text(BUILD.replace("double", "absent").replace("[[step]]", "[[step]]"))
    for command in (("explain", "build/b"), ("plan", "build.toml"), ("diff", "build/b", "build/b"), ("down",)):
        assert "Traceback" not in call(*command).stderr
    assert files_of(home) == {"notes": MINE}


def test_the_mark_is_a_plain_file_or_the_folder_is_not_taken(call: Call, project: Path, home: Path) -> None:
    build = project / "build" / "b"
    build.mkdir(parents=True)
    (build / ".bskernel-output").symlink_to(home / "notes")
    assert call("run", "build.toml").returncode == 2
    assert files_of(home) == {"notes": MINE}


def test_files_of_the_user_survive_in_a_folder_that_claims_to_be_a_build_s(call: Call, project: Path) -> None:
    """A clone can bring the mark, so nothing is removed but what builds wrote there."""
    build = project / "build" / "b"
    (build / "artifacts" / "deep").mkdir(parents=True)
    (build / ".bskernel-output").touch()
    for name in ("notes.txt", "artifacts/notes.txt", "artifacts/deep/notes.txt"):
        (build / name).write_text(MINE)
    for number in (5, 6, 7):
        (project / "number.txt").write_text(str(number))
        assert call("run", "build.toml").returncode == 0
        assert (build / "artifacts" / "model").read_text() == str(2 * number)
    for name in ("notes.txt", "artifacts/notes.txt", "artifacts/deep/notes.txt"):
        assert (build / name).read_text() == MINE


@pytest.mark.parametrize("name", ["build/b-sweep", "build/b-sweep/points", "build/b-sweep/points/x1"])
def test_a_sweep_follows_no_link_either(call: Call, project: Path, home: Path, name: str) -> None:
    (project / "build.toml").write_text(BUILD + '[sweep]\npoint = [{ "build.salt" = "a" }]\n')
    assert call("sweep", "build.toml").returncode == 0
    path = project / name
    if not path.exists():
        (path,) = (project / "build" / "b-sweep" / "points").iterdir()
    move_away(path)
    path.symlink_to(home)
    done = call("sweep", "build.toml")
    assert done.returncode == 2, done.stderr
    assert files_of(home) == {"notes": MINE}


def test_a_sweep_s_files_are_replaced_and_not_written_through(call: Call, project: Path, home: Path) -> None:
    (project / "build.toml").write_text(BUILD + '[sweep]\npoint = [{ "build.salt" = "a" }]\n')
    assert call("sweep", "build.toml").returncode == 0
    for name in ("sweep.json", "sweep.csv", "log.jsonl", ".sweep.json.new"):
        (project / "build" / "b-sweep" / name).unlink(missing_ok=True)
        (project / "build" / "b-sweep" / name).symlink_to(home / "notes")
    assert call("sweep", "build.toml").returncode == 0
    (project / "table.csv").symlink_to(home / "notes")
    assert call("results", "build/b-sweep", "--csv", "table.csv").returncode == 2
    assert files_of(home) == {"notes": MINE}


# What leaves the machine


def test_a_bundle_holds_no_file_that_a_link_leads_to(call: Call, project: Path, home: Path) -> None:
    assert call("run", "build.toml").returncode == 0
    build = project / "build" / "b"
    (build / "artifacts" / "vivado").mkdir()
    (build / "artifacts" / "vivado_deep").symlink_to(home)
    (home / "x.rpt").write_text(MINE)
    names = ["failure.txt", "metrics.json", "log.jsonl", "steps/00-double/log.jsonl", "artifacts/vivado/notes.rpt"]
    for name in names:
        (build / name).unlink(missing_ok=True)
        (build / name).symlink_to(home / "notes")
    (build / "steps" / "01-x").symlink_to(home)
    (home / "log.jsonl").write_text(json.dumps({"text": MINE}))
    done = call("bundle", "build/b")
    assert done.returncode == 0, done.stderr
    with tarfile.open(project / "b.bskernel.tar.gz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is None or MINE.encode() not in file.read(), member.name
    (project / "b.bskernel.tar.gz").unlink()
    (project / "b.bskernel.tar.gz").symlink_to(home / "notes")
    assert call("bundle", "build/b").returncode == 2
    assert (home / "notes").read_text() == MINE


# Build directories of others


def test_a_replay_of_somebody_s_build_writes_and_runs_nothing_elsewhere(
    call: Call, project: Path, home: Path
) -> None:
    assert call("run", "build.toml").returncode == 0
    path = project / "build" / "b" / "steps" / "00-double" / "manifest.msgpack"
    manifest = msgspec.msgpack.decode(path.read_bytes())
    good = path.read_bytes()
    manifest["inputs"][0]["name"] = "../../../home/new"
    path.write_bytes(msgspec.msgpack.encode(manifest))
    done = call("replay", "build/b", "double")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    evil = make_evil(project, home)
    (project / "evil.json").write_text(
        json.dumps({"product": "Vivado", "version": "2024.2", "build": "unknown", "root": str(evil)})
    )
    for tool, identity in (
        ("vivado", f"Vivado 2024.2 /../../../{project}/evil"),
        (f"../../..{project}/evil", "Vivado 2024.2 x"),
        (f"../../..{project}/vivado", "x evil"),
    ):
        step = msgspec.structs.replace(msgspec.msgpack.decode(good, type=StepManifest), tools={tool: identity})
        path.write_bytes(canonical_bytes(step))
        done = call("replay", "build/b", "double")
        assert (done.returncode, "no known tool" in done.stderr) == (4, True), done.stderr
    path.write_bytes(good)
    (project / "replay").symlink_to(home)
    assert call("replay", "build/b", "double").returncode == 2
    assert files_of(home) == {"notes": MINE}


# Python


def test_no_module_of_a_project_is_imported(call: Call, project: Path, home: Path) -> None:
    code = f"open({str(home / 'ran')!r}, 'a').write('ran')\n"
    for name in ("click", "msgspec", "fsspec", "structlog", "sitecustomize", "bskernel_executors", "distributed"):
        (project / f"{name}.py").write_text(code)
    (home / "mine").mkdir()
    (home / "mine" / "sitecustomize.py").write_text(
        f"import os\nopen({str(home)!r} + '/seen', 'a').write('kernel ')\n"
    )
    for search in ("", ":", f"{home / 'mine'}"):
        done = call("run", "build.toml", "--fresh", PYTHONPATH=search)
        assert done.returncode == 0, done.stderr
        if search == ":":
            # To Python, an empty part of PYTHONPATH is the current folder, before bskernel begins.
            assert (home / "ran").read_text() == "ran"
            (home / "ran").unlink()
        assert not (home / "ran").exists()
    # The user's own sitecustomize ran in the kernel, once, and in no executor.
    assert (home / "seen").read_text() == "kernel "
