"""The disk store: whole or not at all, verified on every read."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from bskernel.core.action import Action, ActionResult
from bskernel.core.interfaces import OutputViolation
from bskernel.store import DiskStore
from bskernel_protocol import PROTOCOL_VERSION, Artifact, digest_of_bytes

ACTION = Action(
    protocol=PROTOCOL_VERSION, executor="e@1", executor_digest="d", entry="x", parameters={}, inputs={}, salt=""
)


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "store")


def blob_of(tmp_path: Path, artifact: Artifact) -> Path:
    sha256 = artifact.digest.sha256
    return tmp_path / "store" / "blobs" / sha256[:2] / sha256


def remembered(store: DiskStore, tmp_path: Path) -> Artifact:
    (tmp_path / "f").write_bytes(b"content")
    artifact = store.capture(tmp_path / "f", "model", "file", "x")
    store.remember(ACTION, ActionResult(outputs=(artifact,)))
    return artifact


def test_a_result_is_recalled(store: DiskStore, tmp_path: Path) -> None:
    artifact = remembered(store, tmp_path)
    assert store.recall(ACTION) == ActionResult(outputs=(artifact,))


@pytest.mark.parametrize("damage", [b"", b"conten", b"c0ntent"])
def test_a_torn_or_altered_blob_is_missing_not_wrong(store: DiskStore, tmp_path: Path, damage: bytes) -> None:
    artifact = remembered(store, tmp_path)
    blob_of(tmp_path, artifact).write_bytes(damage)
    assert store.get(artifact.digest) is None
    assert store.recall(ACTION) is None
    assert not store.materialise(artifact, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_blob_is_replaced_when_its_bytes_come_again(store: DiskStore, tmp_path: Path) -> None:
    artifact = remembered(store, tmp_path)
    blob_of(tmp_path, artifact).write_bytes(b"torn")
    remembered(store, tmp_path)
    assert store.get(artifact.digest) == b"content"


def test_an_entry_whose_blobs_are_gone_is_no_hit(store: DiskStore, tmp_path: Path) -> None:
    blob_of(tmp_path, remembered(store, tmp_path)).unlink()
    assert store.recall(ACTION) is None


def test_a_tree_comes_back_with_its_mode_bits(store: DiskStore, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "run.sh").write_text("x")
    (tree / "a" / "run.sh").chmod(0o755)
    (tree / "b").write_text("y")
    artifact = store.capture(tree, "output", "tree", "x")
    assert store.materialise(artifact, tmp_path / "again")
    assert (tmp_path / "again" / "a" / "run.sh").stat().st_mode & 0o777 == 0o755
    assert store.capture(tmp_path / "again", "output", "tree", "x") == artifact


def test_a_tree_misses_one_blob_and_leaves_nothing(store: DiskStore, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("x")
    artifact = store.capture(tree, "output", "tree", "x")
    blob_of(tmp_path, store.capture(tree / "a", "a", "file", "x")).unlink()
    assert not store.materialise(artifact, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_link_out_of_a_tree_is_refused(store: DiskStore, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to("/etc/passwd")
    with pytest.raises(OutputViolation, match="/etc/passwd"):
        store.capture(tree, "output", "tree", "x")


def test_what_is_laid_read_only_is_the_blob_itself_and_verified(store: DiskStore, tmp_path: Path) -> None:
    artifact = remembered(store, tmp_path)
    assert store.materialise(artifact, tmp_path / "given", read_only=True)
    assert (tmp_path / "given").samefile(blob_of(tmp_path, artifact))
    assert store.materialise(artifact, tmp_path / "own")
    assert not (tmp_path / "own").samefile(blob_of(tmp_path, artifact))


def test_bytes_that_went_bad_under_the_file_system_are_found_when_they_are_read(
    store: DiskStore, tmp_path: Path
) -> None:
    blob = blob_of(tmp_path, artifact := remembered(store, tmp_path))
    found = blob.stat()
    blob.write_bytes(b"c0ntent")
    os.utime(blob, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert not store.materialise(artifact, tmp_path / "given", read_only=True)
    assert not (tmp_path / "given").exists()
    assert store.recall(ACTION) is None


def test_a_blob_that_was_touched_but_is_whole_is_found_so_once(store: DiskStore, tmp_path: Path) -> None:
    blob = blob_of(tmp_path, remembered(store, tmp_path))
    blob.touch()
    assert store.recall(ACTION) is not None
    assert blob.stat().st_mtime_ns == store.generation.stamp_ns


def test_large_files_are_kept_whole(store: DiskStore, tmp_path: Path) -> None:
    data = bytes(range(256)) * (1 << 14) + b"end"
    (tmp_path / "large").write_bytes(data)
    artifact = store.capture(tmp_path / "large", "large", "file", "x")
    assert artifact.digest == digest_of_bytes(data)
    assert store.capture(tmp_path / "large", "large", "file", "x") == artifact
    assert store.materialise(artifact, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == data
    assert list((tmp_path / "store" / "incoming").iterdir()) == []


def test_an_action_is_claimed_by_one_at_a_time(store: DiskStore, tmp_path: Path) -> None:
    other = msgspec.structs.replace(ACTION, salt="other")
    with store.claim(ACTION) as first, DiskStore(tmp_path / "store").claim(ACTION) as second:
        assert (first, second) == (True, False)
        with store.claim(other) as free:
            assert free
    with store.claim(ACTION) as again:
        assert again


def test_a_claim_ends_with_the_process_that_holds_it(store: DiskStore, tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time, msgspec\n"
        "from bskernel.core.action import Action\n"
        "from bskernel.store import DiskStore\n"
        "action = msgspec.json.decode(sys.argv[2], type=Action)\n"
        "with DiskStore(pathlib.Path(sys.argv[1])).claim(action) as mine: print(mine, flush=True); time.sleep(60)"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "store"), msgspec.json.encode(ACTION).decode()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with store.claim(ACTION) as mine:
            assert not mine
        holder.kill()
        holder.wait()
    with store.claim(ACTION) as mine:
        assert mine
