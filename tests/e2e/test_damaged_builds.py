"""A run that says ok has the artifacts that its result names, whatever became of cache and build directory."""

import hashlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bskernel.commands.store import StoreAdmin
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.store.blobs import Blobs
from bskernel.store.generation import Generation
from bskernel.store.seal import seal
from bskernel.workspace.workspace import Workspace
from support.builds import build, result_of, statuses, write
from support.power_failure import boot_again, cut_power, empty, files_of, keep_times, zero

CONFIG = """
[build]
name = "sum"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
parameters = { number = 3 }
[[step]]
entry = "testing:measure-tree"
[[step]]
name = "numbers"
entry = "testing:tell"
"""


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of artifacts/, with its mode; but for the kernel's own."""
    found = (path for path in sorted(folder.rglob("*")) if not path.name.startswith("."))
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o7777)
        for path in found
        if path.is_file() and not path.is_symlink()
    }


def replace_by(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def replaced(path: Path) -> None:
        path.unlink()
        make(path)

    return replaced


def link_to_same(path: Path) -> None:
    moved = path.with_name("..moved")
    path.rename(moved)
    path.symlink_to(moved.name)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "removed": Path.unlink,
    "altered": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"?"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "emptied": lambda path: path.write_bytes(b""),
    "zeroed": keep_times(zero),
    "a link": link_to_same,
    "a link to nothing": replace_by(lambda path: path.symlink_to("/nowhere")),
    "a folder": replace_by(Path.mkdir),
    "a FIFO": replace_by(os.mkfifo),
    "other mode": lambda path: path.chmod(0o755 if not path.stat().st_mode & 0o100 else 0o644),
    "unreadable": lambda path: path.chmod(0),
}


Artifacts = dict[str, tuple[bytes, int]]


class Site:
    """A cache and a build directory that a build has filled, for one test to damage."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.cache, self.out = folder / "cache", folder / "build" / "sum"

    def run(self, output: Path | None = None) -> Artifacts:
        """Build as `bskernel run` does; the artifacts of a build that says ok."""
        result = build(Workspace(self.root, self.cache), self.folder / "build.toml", output or self.out)
        assert result.status == "ok", result.failure
        return content((output or self.out) / "artifacts")

    def blobs(self) -> list[Path]:
        return sorted(self.cache.glob("blobs/*/*"))


@pytest.fixture(scope="module")
def template(root: Path, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("template")
    (folder / "cache").mkdir()
    for name in ("envs", "code"):
        (folder / "cache" / name).symlink_to(environments / name)
    write(folder, CONFIG)
    site = Site(folder, root)
    site.run()
    return site


def copy_of(template: Site, folder: Path) -> Site:
    shutil.copytree(template.folder, folder, symlinks=True)
    return Site(folder, template.root)


@pytest.fixture
def site(template: Site, tmp_path: Path) -> Site:
    return copy_of(template, tmp_path / "site")


# The build directory


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_repairs_every_file_of_its_artifacts(site: Site, damage: str) -> None:
    right = site.run()
    assert len(right) >= 5
    for name in right:
        DAMAGES[damage](site.out / "artifacts" / name)
        assert site.run() == right, name
    assert set(statuses(site.out).values()) == {"recalled"}


@pytest.mark.parametrize("what", ["artifacts", "artifacts/by-step", "artifacts/parts/deep"])
@pytest.mark.parametrize("how", ["removed", "a link", "a file", "a FIFO", "read-only"])
def test_a_run_repairs_the_folders_of_its_artifacts(site: Site, tmp_path: Path, what: str, how: str) -> None:
    right = site.run()
    folder = site.out / what
    if how == "read-only":
        next(path for path in folder.rglob("*") if path.is_file()).write_bytes(b"altered")
        folder.chmod(0o555)
    else:
        folder.rename(tmp_path / "aside")
        if how == "a link":
            folder.symlink_to(tmp_path / "aside")
        elif how == "a file":
            folder.write_text("a file")
        elif how == "a FIFO":
            os.mkfifo(folder)
    if (what, how) == ("artifacts", "a link"):
        with pytest.raises(ConfigError, match=r"artifacts is a link to .*: a build writes into real folders only"):
            site.run()
        folder.unlink()
    assert site.run() == right
    if how == "a link":
        assert any((tmp_path / "aside").rglob("*")), "what the link named is left alone"


def test_a_file_that_joins_a_folder_of_artifacts_goes(site: Site) -> None:
    right = site.run()
    (site.out / "artifacts" / "parts" / "deep" / "more").write_text("more")
    assert site.run() == right


def test_what_was_not_written_to_is_not_laid_out_again(site: Site) -> None:
    right = site.run()
    before = (site.out / "artifacts").stat().st_ino
    assert site.run() == right
    assert (site.out / "artifacts").stat().st_ino == before


@pytest.mark.parametrize("name", ["metrics.json", "config.json", "result.json"])
@pytest.mark.parametrize("damage", [name for name in DAMAGES if name not in {"other mode", "unreadable"}])
def test_a_run_writes_its_other_files_again(site: Site, name: str, damage: str) -> None:
    right = (site.out / name).read_bytes()
    DAMAGES[damage](site.out / name)
    site.run()
    assert (site.out / name).is_file()
    assert not (site.out / name).is_symlink()
    assert name == "result.json" or (site.out / name).read_bytes() == right


# The cache


@pytest.mark.parametrize(("damage", "output"), [(empty, "the same"), (keep_times(zero), "a new one")])
def test_whatever_blobs_lose_their_bytes_one_run_heals_them(site: Site, damage: Any, output: str) -> None:
    right = site.run()
    for number, blob in enumerate([*site.blobs(), None]):
        # At last all of them.
        for path in site.blobs() if blob is None else [blob]:
            if path.exists() and path.stat().st_size:
                damage(path)
        out = site.out if output == "the same" else site.folder / f"build-{number}"
        assert site.run(out) == right
        assert number == 0 or result_of(out)["metrics"] == result_of(site.out)["metrics"]


def test_two_zeroed_files_of_one_tree_are_made_again_in_the_same_run(site: Site) -> None:
    right = site.run()
    for name in ("parts/one", "parts/deep/two"):
        digest = hashlib.sha256(right[name][0]).hexdigest()
        keep_times(zero)(site.cache / "blobs" / digest[:2] / digest)
    assert site.run(site.folder / "new") == right
    assert StoreAdmin(site.cache, None, pytest.fail).check(shared=False, repair=False).sound


def test_a_cache_that_loses_an_artifact_again_and_again_fails_the_build(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = hashlib.sha256(site.run()["parts/deep/two"][0]).hexdigest()
    write_to = Blobs.write_to
    monkeypatch.setattr(
        Blobs, "write_to", lambda self, digest, *a, **k: digest.sha256 != lost and write_to(self, digest, *a, **k)
    )
    out = site.folder / "new"
    result = build(Workspace(site.root, site.cache), site.folder / "build.toml", out)
    assert (result.status, result.failed_step, result.exit_code) == ("failed", "measure-tree", 4)
    assert result.failure is not None
    assert "parts is missing from the cache or corrupt" in result.failure.message
    assert result_of(out)["artifacts"] == {}
    assert content(out / "artifacts") == {}


# A power failure


@pytest.mark.parametrize("seed", range(12))
def test_what_a_power_failure_takes_the_next_run_makes_again(template: Site, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    right = content(template.out / "artifacts")
    site = copy_of(template, tmp_path / "site")
    cut_power(chance, site.cache, site.out, share=chance.choice([0.05, 0.3, 1.0]))
    if seed % 2:
        boot_again(site.cache, site.out)
    assert site.run() == right
    assert site.run(site.folder / "new") == right
    assert StoreAdmin(site.cache, None, pytest.fail).check(shared=False, repair=True).dangling == ()
    assert StoreAdmin(site.cache, None, pytest.fail).check(shared=False, repair=False).sound


def test_after_an_unclean_stop_every_blob_is_read_before_it_counts(site: Site) -> None:
    right = site.run()
    boot_again(site.cache, site.out)
    for blob in site.blobs():
        keep_times(zero)(blob)
    for path in files_of(site.out / "artifacts"):
        if not path.name.startswith("."):
            keep_times(zero)(path)
    assert site.run() == right
    assert "recalled" not in statuses(site.out).values()


def test_a_blob_that_is_wrong_after_a_boot_is_made_again_although_nobody_asks_for_its_bytes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.run()
    assert not Generation(site.cache).is_unsynced, "a finished build has waited for the disk"
    for blob in site.blobs():
        keep_times(zero)(blob)
    monkeypatch.setattr("bskernel.store.generation.boot", lambda: "a later boot")
    site.run()
    assert StoreAdmin(site.cache, None, pytest.fail).check(shared=False, repair=False).dangling == ()


# Foreign and damaged files anywhere in the cache


def garbage(path: Path) -> None:
    path.write_bytes(b"\x93\xff\xc1 no UTF-8 \xfe" * 9)


def folder(path: Path) -> None:
    (path / "in" / "it").mkdir(parents=True)
    (path / "in" / "file").write_text("x")


FOREIGN: dict[str, Callable[[Path], Any]] = {
    "garbage": garbage,
    "nothing in it": lambda path: path.write_bytes(b""),
    "a folder": folder,
    "a FIFO": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("/nowhere/at/all"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to a folder": lambda path: path.symlink_to("/usr"),
    "deep nesting": lambda path: path.write_bytes(seal(path.name, b"\x91" * 100_000)),
    "odd keys": lambda path: path.write_bytes(seal(path.name, b"\x81\x80\x80")),
}
PLACES = (
    "files.msgpack",
    "generation",
    "in-use",
    "claims",
    "blobs/*/*",
    "blobs/*",
    "actions/*/*",
    "actions/*",
    "incoming/some",
    "pending",
    "blobs/xy",
    "actions/00/short",
)


def damage_place(site: Site, place: str, kind: str) -> None:
    """Put something of that kind at every place of that form."""
    for path in sorted(site.cache.glob(place)) or [site.cache / place]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        FOREIGN[kind](path)


def is_possible(place: str, kind: str) -> bool:
    if kind in {"deep nesting", "odd keys"}:
        return place in {"files.msgpack", "generation", "actions/*/*"}
    # A user may lay these folders elsewhere.
    return kind != "a link to a folder" or place not in {"blobs/*", "actions/*"}


@pytest.mark.parametrize(
    ("place", "kind"), [(place, kind) for place in PLACES for kind in FOREIGN if is_possible(place, kind)]
)
def test_foreign_files_in_the_cache_are_a_miss_or_a_repair(site: Site, place: str, kind: str) -> None:
    right = content(site.out / "artifacts")
    damage_place(site, place, kind)
    assert site.run(site.folder / "new") == right
    admin = StoreAdmin(site.cache, None, pytest.fail)
    admin.check(shared=False, repair=True)
    assert admin.check(shared=False, repair=False).sound


@pytest.mark.parametrize("place", ["blobs", "actions", "incoming"])
@pytest.mark.parametrize("kind", ["garbage", "a FIFO", "a link to itself", "a link to nothing"])
def test_what_stands_in_place_of_a_folder_of_the_cache_is_named(site: Site, place: str, kind: str) -> None:
    damage_place(site, place, kind)
    with pytest.raises(EnvironmentLacking, match=f"the cache .* is not as bskernel left it: .*{place}") as raised:
        site.run()
    assert raised.value.hint is not None


@pytest.mark.parametrize("place", ["files.msgpack", "generation", "claims", "blobs/*/*", "actions/*/*", "blobs/xy"])
@pytest.mark.parametrize("kind", ["garbage", "a folder", "a FIFO", "a link to nothing"])
def test_check_finds_what_is_foreign_or_damaged_and_repair_removes_it(site: Site, place: str, kind: str) -> None:
    if (place, kind) == ("claims", "garbage"):
        pytest.skip("what is in a lock file does not matter")
    admin = StoreAdmin(site.cache, None, pytest.fail)
    damage_place(site, place, kind)
    assert not admin.check(shared=False, repair=False).sound
    admin.check(shared=False, repair=True)
    assert admin.check(shared=False, repair=False).sound


# Who reads a build directory


def test_explain_diff_and_results_say_which_files_are_no_longer_what_the_build_wrote(site: Site, cli: Any) -> None:
    site.run()
    shutil.copytree(site.out, site.folder / "base", copy_function=shutil.copy)
    assert "changed since" not in cli("explain", str(site.folder / "base")).stderr, "a copy is no change"
    (site.out / "artifacts" / "parts" / "one").write_text("99")
    (site.out / "artifacts" / "model").unlink()
    (site.out / "metrics.json").write_text("{}")
    result = (site.out / "result.json").read_text()
    (site.out / "result.json").write_text(result.replace('"sum"', '"sun"'))
    lines = [
        "artifacts/model: missing",
        "artifacts/parts/one: altered",
        "metrics.json: altered",
        "result.json: altered",
    ]
    told = {
        "explain": cli("explain", str(site.out)).stderr,
        "explain a step": cli("explain", str(site.out), "add").stdout,
        "diff": cli("diff", str(site.folder / "base"), str(site.out)).stdout,
        "markdown": cli("diff", str(site.folder / "base"), str(site.out), "--format", "markdown").stdout,
    }
    assert {name: [line for line in lines if line not in text] for name, text in told.items()} == {
        name: [] for name in told
    }
    assert "A changed" not in told["diff"]


SWEEP = """
[build]
name = "sum"
model = "number.txt"
[[step]]
entry = "testing:add"
[[step]]
entry = "testing:measure-tree"
[[step]]
name = "numbers"
entry = "testing:tell"
[sweep]
grid = { "target.target_fps" = [1, 2] }
"""


def test_a_sweep_repairs_its_points_and_heals_the_cache(cli: Any, tmp_path: Path, cache: Path) -> None:
    config = write(tmp_path, SWEEP)
    assert cli("sweep", config).returncode == 0
    points = tmp_path / "build" / "sum-sweep" / "points"
    right = {point.name: content(point / "artifacts") for point in points.iterdir()}
    assert [len(files) for files in right.values()] == [6, 6]
    for number, path in enumerate(files_of(points)):
        if path.name in {"one", "two", "run.sh", "model"}:
            (keep_times(zero) if number % 2 else Path.unlink)(path)
    (tmp_path / "build" / "sum-sweep" / "sweep.csv").write_text("altered")
    told = cli("results", str(tmp_path / "build" / "sum-sweep")).stderr
    assert "sweep.csv: altered" in told
    assert all(f"{name}/artifacts/parts/one" in told for name in right)
    # The blobs that the repair needs are wrong too, and look right.
    for blob in cache.glob("blobs/*/*"):
        keep_times(zero)(blob)
    done = cli("sweep", config)
    assert done.returncode == 0, done.stderr
    assert {point.name: content(point / "artifacts") for point in points.iterdir()} == right
    assert "changed" not in cli("results", str(tmp_path / "build" / "sum-sweep")).stderr


@pytest.mark.parametrize("place", ["artifacts/notes", "artifacts/by-step/notes", "artifacts/parts/notes", "notes"])
def test_files_of_the_user_s_survive_repairs_and_kills_between_them(site: Site, place: str) -> None:
    right = site.run()
    (site.out / place).write_text("mine")
    model = next(path for path in (site.out / "artifacts").rglob("*") if path.is_file() and path.name != "notes")
    model.write_text("altered")
    # As a kill leaves it between two renames: what was there before is aside, and its successor not yet in place.
    (site.out / "artifacts").rename(site.out / "artifacts.old")
    found = {name: made for name, made in site.run().items() if name != "notes"}
    assert found == right
    assert [path.read_text() for path in site.out.rglob("notes")] == ["mine"]
    assert not (site.out / "artifacts.old").exists()
