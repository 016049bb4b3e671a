"""What every store must do: the local one, and the same with a shared one behind it, in a folder and on S3."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.config import StoreMode, StoreSection
from bskernel.core.action import Action, ActionResult
from bskernel.core.interfaces import EVERYTHING, OutputViolation, Store, Wanted
from bskernel.store import OpenStore, SharedSettings, shared_settings
from bskernel.store.layered import LayeredStore
from bskernel_protocol import PROTOCOL_VERSION, Artifact, digest_of_bytes
from support.s3_server import BUCKET, S3Server
from support.signing_keys import write_pair
from support.ssh_server import SshServer

ACTION = Action(
    protocol=PROTOCOL_VERSION, executor="e@1", executor_digest="d", entry="x", parameters={}, inputs={}, salt=""
)
ABSENT = digest_of_bytes(b"nowhere")
Told = list[str]


def shared_by(kind: str, mode: str, request: pytest.FixtureRequest, tmp_path: Path) -> SharedSettings | None:
    """An empty shared store of a kind; None for the kind `disk`."""
    url, options = "", {}
    keys: dict[str, Any] = {}
    if kind == "disk":
        return None
    if kind in {"folder", "signed"}:
        (tmp_path / "shared").mkdir()
        url = str(tmp_path / "shared")
        if kind == "signed":
            private, public = write_pair(tmp_path, "ci")
            keys = {"signed_by": (public,), "sign_with": private}
    elif kind == "s3":
        server: S3Server = request.getfixturevalue("s3")
        for name, value in server.environment.items():
            request.getfixturevalue("monkeypatch").setenv(name, value)
        url = f"s3://{BUCKET}/{tmp_path.name}"
    else:
        ssh, root = request.getfixturevalue("ssh")
        (root / tmp_path.name).mkdir()
        url, options = ssh.url + tmp_path.name, ssh.options
    section = StoreSection(shared=url, mode=msgspec.convert(mode, StoreMode), options=options, **keys)
    return shared_settings(section, tmp_path)


KINDS = [
    "disk-",
    "folder-read-only",
    "folder-write-through",
    "folder-write-back",
    "signed-write-through",
    "s3-write-through",
    "ssh-write-back",
]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kind, _, mode = request.param.partition("-")
    told: Told = []
    (tmp_path / "cache").mkdir()
    with OpenStore(tmp_path / "cache", shared_by(kind, mode, request, tmp_path), told.append) as opened:
        yield opened.store
    assert told == []


@pytest.mark.parametrize("kind", ["folder", "signed", "s3", "ssh"])
def test_what_one_machine_remembers_another_recalls(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    shared = shared_by(kind, "write-through", request, tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "large").write_bytes(bytes(range(256)) * (40 << 10))  # more than is sent from memory
    with OpenStore(tmp_path / "one", shared, pytest.fail) as opened:
        tree = opened.store.capture(tmp_path / "tree", "t", "tree", "x")
        result = ActionResult(outputs=(tree,), log=opened.store.put(b""))
        opened.store.remember(ACTION, result)
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        assert opened.store.recall(ACTION) == result
        assert opened.store.materialise(tree, tmp_path / "laid")
    assert (tmp_path / "laid" / "large").read_bytes() == (tmp_path / "tree" / "large").read_bytes()


def test_a_host_that_is_not_known_is_not_used(ssh: tuple[SshServer, Path], tmp_path: Path) -> None:
    server, root = ssh
    (root / "unknown").mkdir()
    (tmp_path / "nobody").touch()
    options = server.options | {"known_hosts": str(tmp_path / "nobody")}
    section = StoreSection(shared=f"{server.url}unknown", mode="write-through", options=options)
    told: Told = []
    with OpenStore(tmp_path, shared_settings(section, tmp_path), told.append) as opened:
        made = Artifact(name="n", kind="file", digest=opened.store.put(b"x"), media_type="x")
        opened.store.remember(ACTION, ActionResult(outputs=(made,)))
    assert len(told) == 1
    assert "not trusted" in told[0]
    assert list((root / "unknown").iterdir()) == []


def captured(store: Store, tmp_path: Path, text: str = "content") -> Artifact:
    (tmp_path / "f").write_text(text)
    return store.capture(tmp_path / "f", "model", "file", "x")


def test_bytes_come_back_and_others_are_missing(store: Store) -> None:
    assert store.get(store.put(b"some")) == b"some"
    assert store.get(store.put(b"")) == b""
    assert store.get(ABSENT) is None


def test_a_result_is_recalled_with_its_log(store: Store, tmp_path: Path) -> None:
    result = ActionResult(outputs=(captured(store, tmp_path),), record={"n": 1}, log=store.put(b"log"))
    assert store.recall(ACTION) is None
    assert store.peek(ACTION) is None
    store.remember(ACTION, result)
    assert store.recall(ACTION) == store.peek(ACTION) == result
    for wanted in (EVERYTHING, Wanted(outputs=frozenset())):
        assert store.look_up(ACTION, None, wanted) == store.look_up(ACTION, None, wanted, here=True) == result
    assert store.recall(msgspec.structs.replace(ACTION, salt="other")) is None
    assert store.look_up(msgspec.structs.replace(ACTION, salt="other"), None, EVERYTHING) is None


def test_a_result_without_its_artifacts_is_refused_and_not_recalled(store: Store) -> None:
    absent = Artifact(name="model", kind="file", digest=ABSENT, media_type="x")
    with pytest.raises(ValueError, match="model is not in the store"):
        store.remember(ACTION, ActionResult(outputs=(absent,)))
    assert store.recall(ACTION) is None


def test_a_file_and_a_tree_are_laid_as_they_were(store: Store, tmp_path: Path) -> None:
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "run.sh").write_text("x")
    (tmp_path / "tree" / "a" / "run.sh").chmod(0o755)
    (tmp_path / "tree" / "b").write_text("")
    tree = store.capture(tmp_path / "tree", "output", "tree", "x")
    assert store.materialise(tree, tmp_path / "laid" / "tree")
    assert (tmp_path / "laid" / "tree" / "a" / "run.sh").stat().st_mode & 0o777 == 0o755
    assert store.observe(tmp_path / "laid" / "tree", "output", "tree", "x") == tree
    assert store.materialise(captured(store, tmp_path), tmp_path / "laid" / "file", read_only=True)
    assert (tmp_path / "laid" / "file").read_text() == "content"


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_what_is_missing_is_not_laid_and_leaves_nothing(store: Store, tmp_path: Path, kind: str) -> None:
    absent = msgspec.convert({"name": "n", "kind": kind, "digest": ABSENT, "media_type": "x"}, Artifact)
    assert not store.materialise(absent, tmp_path / "laid")
    assert not (tmp_path / "laid").exists()


def test_links_out_of_a_tree_are_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to("/etc/passwd")
    with pytest.raises(OutputViolation, match="/etc/passwd"):
        store.capture(tmp_path / "tree", "output", "tree", "x")


def test_an_action_is_claimed_by_one_at_a_time(store: Store) -> None:
    with store.claim(ACTION) as first, store.claim(ACTION) as second:
        assert (first, second) == (True, False)
    with store.claim(ACTION) as again:
        assert again


def test_an_action_that_runs_here_alone_is_no_other_machine_s(store: Store) -> None:
    with store.announced(ACTION, pytest.fail):
        assert store.other_machine(ACTION) is None
    store.unannounce(ACTION)


def test_many_threads_remember_and_recall_at_once(store: Store, tmp_path: Path) -> None:
    def work(at: int) -> bool:
        action = msgspec.structs.replace(ACTION, salt=str(at % 4))
        digest = store.put(f"made {at % 4}".encode())
        result = ActionResult(outputs=(Artifact(name="n", kind="file", digest=digest, media_type="x"),))
        store.remember(action, result)
        return store.recall(action) == result

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(work, range(16)))


def test_a_result_of_a_shared_store_is_recalled_only_by_builds_that_use_it(tmp_path: Path) -> None:
    shared, other = [SharedSettings(url=str(tmp_path / name), mode="write-through") for name in ("theirs", "ours")]
    for name in ("theirs", "ours", "one", "two"):
        (tmp_path / name).mkdir()
    with OpenStore(tmp_path / "one", shared, pytest.fail) as opened:
        result = ActionResult(outputs=(captured(opened.store, tmp_path),))
        opened.store.remember(ACTION, result)
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        assert opened.store.recall(ACTION) == result
    # What that build took from its store lies in the cache of all.
    with OpenStore(tmp_path / "two", None, pytest.fail) as opened:
        assert opened.store.recall(ACTION) is None
        assert opened.store.peek(ACTION) is None
    with OpenStore(tmp_path / "two", other, pytest.fail) as opened:
        assert isinstance(opened.store, LayeredStore)
        assert opened.store.recall(ACTION) is None
        # Nor does it reach another store.
        assert opened.store.push_all([ACTION.key.sha256]).pushed == 0
    assert not (tmp_path / "ours" / "actions").exists()
    # Without its store, it is there for those who trust the store, and only for them.
    (tmp_path / "theirs").rename(tmp_path / "gone")
    notes: list[str] = []
    with OpenStore(tmp_path / "two", shared, notes.append) as opened:
        assert opened.store.recall(ACTION) == result
    # A step that runs here makes the result everybody's.
    with OpenStore(tmp_path / "two", None, pytest.fail) as opened:
        opened.store.remember(ACTION, result)
        assert opened.store.recall(ACTION) == result
