"""A shared store full of damage: each form of it is a miss, costs no more than was asked for, and stays outside."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.commands.store import StoreAdmin
from bskernel.core.action import Action, ActionResult
from bskernel.store import DiskStore, OpenStore, SharedSettings
from bskernel.store.codec import MAX_RESULT
from bskernel.store.file_systems import NotWhole, download
from bskernel.store.seal import seal
from bskernel_protocol import (
    PROTOCOL_VERSION,
    Artifact,
    Digest,
    OutputDescription,
    TreeFile,
    TreeListing,
    canonical_bytes,
    digest_of_bytes,
)
from fsspec.implementations.memory import MemoryFileSystem

ACTION = Action(
    protocol=PROTOCOL_VERSION, executor="e@1", executor_digest="d", entry="x", parameters={}, inputs={}, salt=""
)
KEY = ACTION.key.sha256
DECLARED = (
    OutputDescription(name="file", kind="file", media_type="x"),
    OutputDescription(name="tree", kind="tree", media_type="x"),
)
CONTENT = digest_of_bytes(b"third")


class Stores:
    """A shared store in which another machine has put the result of an action, and an empty cache."""

    def __init__(self, folder: Path) -> None:
        self.shared, self.cache = folder / "shared", folder / "two"
        for path in (self.shared, folder / "one", self.cache):
            path.mkdir()
        self.settings = SharedSettings(url=str(self.shared), mode="write-through")
        (folder / "tree").mkdir()
        (folder / "tree" / "a").write_text("first")
        with OpenStore(folder / "one", self.settings, pytest.fail) as opened:
            tree = opened.store.capture(folder / "tree", "tree", "tree", "x")
            file = Artifact(name="file", kind="file", digest=opened.store.put(b"third"), media_type="x")
            self.result = ActionResult(outputs=(file, tree), log=opened.store.put(b"log"))
            opened.store.remember(ACTION, self.result)
        self.maker = folder / "one"

    @property
    def action(self) -> Path:
        return self.shared / "actions" / KEY[:2] / KEY

    def blob(self, digest: Digest) -> Path:
        return self.shared / "blobs" / digest.sha256[:2] / digest.sha256

    def add(self, data: bytes) -> Digest:
        """Bytes that somebody put there."""
        digest = digest_of_bytes(data)
        self.blob(digest).parent.mkdir(exist_ok=True)
        self.blob(digest).write_bytes(data)
        return digest

    def recall(self) -> ActionResult | None:
        with OpenStore(self.cache, self.settings, pytest.fail) as opened:
            found = opened.store.peek(ACTION, DECLARED)
            recalled = opened.store.recall(ACTION, DECLARED)
            assert recalled is None or (found is not None and found.outputs == recalled.outputs)
            return recalled

    def assert_nothing_stays(self) -> None:
        """The cache is sound, forgets the result, and makes it again for everybody."""
        assert StoreAdmin(self.cache, None, pytest.fail).check(shared=False, repair=False).sound
        assert list((self.cache / "incoming").iterdir()) == []
        assert DiskStore(self.cache).recall(ACTION, DECLARED) is None
        with OpenStore(self.cache, self.settings, pytest.fail) as opened:
            assert opened.store.recall(ACTION, DECLARED) is None
            shutil.copytree(self.maker / "blobs", self.cache / "blobs", dirs_exist_ok=True)  # the step runs
            opened.store.remember(ACTION, self.result)
        (self.cache.parent / "three").mkdir()
        with OpenStore(self.cache.parent / "three", self.settings, pytest.fail) as opened:
            assert opened.store.recall(ACTION, DECLARED) == self.result


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(tmp_path)


def sparse(path: Path, size: int) -> None:
    """A file of zeros that takes no place."""
    path.unlink()
    with path.open("wb") as file:
        file.truncate(size)


def replaced_by(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


def folder_is_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("x")


FORMS: dict[str, Callable[[Path], Any]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "altered": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0"),
    "terabytes of zeros": lambda path: sparse(path, 1 << 42),
    "a folder": replaced_by(Path.mkdir),
    "a FIFO": replaced_by(os.mkfifo),
    "a link to zeros without end": replaced_by(lambda path: path.symlink_to("/dev/zero")),
    "a link to itself": replaced_by(lambda path: path.symlink_to(path.name)),
    "a link to nothing": replaced_by(lambda path: path.symlink_to("/nowhere")),
    "folder is a file": lambda path: folder_is_file(path.parent),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("which", ["action", "file", "tree's listing", "tree's file"])
def test_every_form_of_damage_is_a_miss_and_stays_outside(stores: Stores, which: str, form: str) -> None:
    places = {
        "action": stores.action,
        "file": stores.blob(CONTENT),
        "tree's listing": stores.blob(stores.result.outputs[1].digest),
        "tree's file": stores.blob(digest_of_bytes(b"first")),
    }
    FORMS[form](places[which])
    assert stores.recall() is None
    stores.assert_nothing_stays()


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_log_is_left_out(stores: Stores, form: str) -> None:
    assert stores.result.log is not None
    FORMS[form](stores.blob(stores.result.log))
    assert stores.recall() == msgspec.structs.replace(stores.result, log=None)


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"v": value}
    return value


def with_outputs(stores: Stores, *outputs: Artifact) -> ActionResult:
    return msgspec.structs.replace(stores.result, outputs=outputs)


def with_listing(stores: Stores, *paths: str) -> ActionResult:
    listing = TreeListing(files=tuple(TreeFile(path=path, digest=CONTENT) for path in paths))
    tree = Artifact(name="tree", kind="tree", digest=stores.add(canonical_bytes(listing)), media_type="x")
    return with_outputs(stores, stores.result.outputs[0], tree)


SEALED: dict[str, Callable[[Stores], ActionResult]] = {
    "no outputs": lambda stores: with_outputs(stores),
    "an output missing": lambda stores: with_outputs(stores, stores.result.outputs[0]),
    "an output more": lambda stores: with_outputs(
        stores, *stores.result.outputs, Artifact(name="more", kind="file", digest=CONTENT, media_type="x")
    ),
    "another kind": lambda stores: with_outputs(
        stores, *(msgspec.structs.replace(made, kind="file") for made in stores.result.outputs)
    ),
    "another form": lambda stores: with_outputs(
        stores, *(msgspec.structs.replace(made, media_type="application/json") for made in stores.result.outputs)
    ),
    "the same name twice": lambda stores: with_outputs(stores, *stores.result.outputs, stores.result.outputs[0]),
    "a name with NUL": lambda stores: with_outputs(
        stores, *(msgspec.structs.replace(made, name=f"{made.name}\0") for made in stores.result.outputs)
    ),
    "a size beyond all": lambda stores: with_outputs(
        stores,
        stores.result.outputs[1],
        Artifact(name="file", kind="file", digest=Digest(sha256=CONTENT.sha256, size=1 << 62), media_type="x"),
    ),
    "a deep record": lambda stores: msgspec.structs.replace(stores.result, record=nested(500)),
    "a very deep record": lambda stores: msgspec.structs.replace(stores.result, record=nested(900)),
    "bytes in the record": lambda stores: msgspec.structs.replace(stores.result, record={"n": b"x"}),
    "a file that is a folder": lambda stores: with_listing(stores, "a", "a/b"),
    "a deep tree": lambda stores: with_listing(stores, "/".join("d" * 1500)),
    "a long name": lambda stores: with_listing(stores, "n" * 300),
    "a listing that is none": lambda stores: with_outputs(
        stores, stores.result.outputs[0], Artifact(name="tree", kind="tree", digest=CONTENT, media_type="x")
    ),
}


@pytest.mark.parametrize("form", SEALED)
def test_a_result_that_no_step_can_have_is_a_miss_and_stays_outside(stores: Stores, form: str) -> None:
    body = msgspec.msgpack.Encoder(order="deterministic").encode(SEALED[form](stores))
    stores.action.write_bytes(seal(KEY, body))
    assert stores.recall() is None
    stores.assert_nothing_stays()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_record_that_no_json_can_hold_is_a_miss(stores: Stores, value: float) -> None:
    body = msgspec.msgpack.Encoder(order="deterministic").encode(
        msgspec.structs.replace(stores.result, record={"n": value})
    )
    stores.action.write_bytes(seal(KEY, body))
    assert stores.recall() is None
    stores.assert_nothing_stays()


def test_foreign_files_in_a_shared_store_are_found_and_removed(stores: Stores) -> None:
    (stores.shared / "blobs" / "notes.txt").write_text("x")
    (stores.shared / "actions" / "00").mkdir()
    (stores.shared / "actions" / "00" / ("1" * 64)).write_text("not in its folder")
    admin = StoreAdmin(stores.cache, stores.settings, pytest.fail)
    found = admin.check(shared=True, repair=True)
    assert found.strays == ("actions/00/" + "1" * 64, "blobs/notes.txt")
    assert admin.check(shared=True, repair=False).sound
    assert stores.recall() == stores.result


@pytest.mark.parametrize("size", [MAX_RESULT + (1 << 20), 1 << 25])
def test_no_more_is_read_of_a_remote_file_than_may_be_in_it(size: int, tmp_path: Path) -> None:
    """A file system without a size in its listing is stopped while it sends."""
    fs = MemoryFileSystem(skip_instance_cache=True)
    fs.pipe_file("/file", bytes(size))
    with pytest.raises(NotWhole):
        download(fs, "/file", str(tmp_path / "target"), 1000)
    assert (tmp_path / "target").stat().st_size <= max(1000, fs.blocksize)
    download(fs, "/file", str(tmp_path / "whole"), size)
    assert (tmp_path / "whole").stat().st_size == size
