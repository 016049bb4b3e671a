"""A shared store's parts: what is asked of it, in which order, and what is told when it fails."""

import errno
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from bskernel.config import StoreSection
from bskernel.config.reader import override_store, restrict_store
from bskernel.core.action import Action, ActionResult
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.interfaces import Wanted
from bskernel.store import DiskStore, OpenStore, SharedSettings, shared_settings
from bskernel.store.bounded_map import bounded_call, bounded_map
from bskernel.store.circuit_breaker import CircuitBreaker
from bskernel.store.remote import BlobState, RemoteStore
from bskernel.store.seal import seal
from bskernel.store.usage_lock import hold_exclusive, hold_shared
from bskernel_protocol import PROTOCOL_VERSION, Artifact, Digest, canonical_bytes, digest_of_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

ACTION = Action(
    protocol=PROTOCOL_VERSION, executor="e@1", executor_digest="d", entry="x", parameters={}, inputs={}, salt=""
)


@pytest.fixture
def shared(tmp_path: Path) -> SharedSettings:
    (tmp_path / "shared").mkdir()
    return SharedSettings(url=str(tmp_path / "shared"), mode="write-through")


def remembered(cache: Path, shared: SharedSettings, scratch: Path) -> ActionResult:
    """A result with a file, a tree and a log, remembered in a cache and in the shared store."""
    cache.mkdir()
    (scratch / "tree" / "deep").mkdir(parents=True, exist_ok=True)
    (scratch / "tree" / "a").write_text("first")
    (scratch / "tree" / "deep" / "b").write_text("second")
    with OpenStore(cache, shared, pytest.fail) as opened:
        tree = opened.store.capture(scratch / "tree", "tree", "tree", "x")
        file = Artifact(name="file", kind="file", digest=opened.store.put(b"third"), media_type="x")
        result = ActionResult(outputs=(file, tree), log=opened.store.put(b"log"))
        opened.store.remember(ACTION, result)
    return result


# What is recalled


@settings(max_examples=60)
@given(data=st.data())
def test_however_a_shared_store_is_damaged_what_is_recalled_is_right_or_nothing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "shared").mkdir()
    shared = SharedSettings(url=str(folder / "shared"), mode="write-through")
    result = remembered(folder / "one", shared, folder)
    files = sorted(path for path in (folder / "shared").glob("*/*/*") if path.is_file())
    for path in files:
        damage = data.draw(st.sampled_from(["none", "none", "none", "gone", "torn", "altered"]), label=path.name)
        whole = path.read_bytes()
        if damage == "gone":
            path.unlink()
        elif damage != "none":
            path.write_bytes(whole[:-1] if damage == "torn" else bytes([whole[0] ^ 1]) + whole[1:])
    # Who recalls nothing makes it again, and so mends what was looked at; what was not, the next finds.
    found = [
        recalled_or_made_again(folder / name, shared, result, folder / "one") for name in ("two", "three", "four")
    ]
    assert found[-1], "mended for all"
    shutil.rmtree(folder)


def recalled_or_made_again(cache: Path, shared: SharedSettings, result: ActionResult, maker: Path) -> bool:
    """Was the right result recalled, with all its bytes? Else it is remembered with the bytes of `maker`."""
    cache.mkdir()
    with OpenStore(cache, shared, pytest.fail) as opened:
        recalled = opened.store.recall(ACTION)
        if recalled is None:
            shutil.copytree(maker / "blobs", cache / "blobs", dirs_exist_ok=True)
            opened.store.remember(ACTION, result)
            return False
        # Only the log may be lost: then the result says that it has none.
        assert recalled in [result, msgspec.structs.replace(result, log=None)]
        laid, local = cache / "laid", DiskStore(cache)
        assert all(local.materialise(made, laid / made.name) for made in recalled.outputs)
        assert [(laid / "tree" / name).read_text() for name in ("a", "deep/b")] == ["first", "second"]
        assert (laid / "file").read_text() == "third"
    return True


def test_bytes_that_are_gone_or_damaged_here_are_fetched_again(tmp_path: Path, shared: SharedSettings) -> None:
    result = remembered(tmp_path / "cache", shared, tmp_path)
    for path in (tmp_path / "cache" / "blobs").glob("*/*"):
        path.write_bytes(b"torn")
    with OpenStore(tmp_path / "cache", shared, pytest.fail) as opened:
        assert all(opened.store.materialise(made, tmp_path / "laid" / made.name) for made in result.outputs)
        assert result.log is not None
        assert opened.store.get(result.log) == b"log"
    assert (tmp_path / "laid" / "tree" / "a").read_text() == "first"
    assert list((tmp_path / "cache" / "incoming").iterdir()) == []


def test_a_result_is_written_after_all_its_blobs(tmp_path: Path) -> None:
    """What a writer leaves that dies between any two writes is no result, or a whole one."""
    for writes in range(1, 9):
        folder = tmp_path / str(writes)
        (folder / "shared").mkdir(parents=True)
        shared = SharedSettings(url=str(folder / "shared"), mode="write-through")
        told: list[str] = []
        for name in ("one", "two"):
            (folder / name).mkdir()
        with pytest.MonkeyPatch.context() as patch, OpenStore(folder / "one", shared, told.append) as opened:
            patch.setattr(RemoteStore, "_put", dying_after(writes))
            file = Artifact(name="f", kind="file", digest=opened.store.put(b"third"), media_type="x")
            more = Artifact(name="g", kind="file", digest=opened.store.put(b"fourth"), media_type="x")
            result = ActionResult(outputs=(file, more), log=opened.store.put(b"log"))
            opened.store.remember(ACTION, result)
            assert opened.store.recall(ACTION) == result
        complete = writes >= 5  # the mark of the layout, three blobs, the result
        assert len(told) == (0 if complete else 1)
        with OpenStore(folder / "two", shared, pytest.fail) as opened:
            assert opened.store.recall(ACTION) == (result if complete else None)


def dying_after(writes: int) -> Callable[[RemoteStore, str, str | bytes, int], None]:
    """A writer that does no more than so many writes."""
    put, left, lock = RemoteStore._put, iter(range(writes)), threading.Lock()

    def write(self: RemoteStore, path: str, what: str | bytes, size: int) -> None:
        with lock:
            alive = next(left, None) is not None
        if not alive:
            raise OSError("the writer is dead")
        put(self, path, what, size)

    return write


def test_what_is_there_is_not_sent_again(tmp_path: Path, shared: SharedSettings) -> None:
    remembered(tmp_path / "one", shared, tmp_path)
    before = {path: path.stat() for path in (tmp_path / "shared").rglob("*") if path.is_file()}
    remembered(tmp_path / "two", shared, tmp_path)
    after = {path: path.stat() for path in (tmp_path / "shared").rglob("*") if path.is_file()}
    assert {path: (found.st_ino, found.st_mtime_ns) for path, found in before.items()} == {
        path: (found.st_ino, found.st_mtime_ns) for path, found in after.items()
    }


def test_the_first_of_two_different_results_stays(tmp_path: Path, shared: SharedSettings) -> None:
    first = remembered(tmp_path / "one", shared, tmp_path)
    (tmp_path / "two").mkdir()
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        other = Artifact(name="file", kind="file", digest=opened.store.put(b"other"), media_type="x")
        opened.store.remember(ACTION, ActionResult(outputs=(other,)))
    (tmp_path / "three").mkdir()
    with OpenStore(tmp_path / "three", shared, pytest.fail) as opened:
        assert opened.store.recall(ACTION) == first


def test_where_many_results_are_missing_they_are_not_asked_for_one_by_one(
    tmp_path: Path, shared: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = remembered(tmp_path / "one", shared, tmp_path)
    (tmp_path / "two").mkdir()
    asked: list[str] = []
    ask = RemoteStore.result

    def noting(self: RemoteStore, key: str, target: str) -> bytes | None:
        asked.append(key)
        return ask(self, key, target)

    monkeypatch.setattr(RemoteStore, "result", noting)
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        for at in range(1000):
            assert opened.store.peek(msgspec.structs.replace(ACTION, salt=f"other {at}")) is None
        assert len(asked) == 200
        assert opened.store.peek(ACTION) == opened.store.recall(ACTION) == result
        assert opened.store.recall(msgspec.structs.replace(ACTION, salt="other 999")) is None
        assert len(asked) == 203, "a build asks for each"


def test_another_layout_is_left_alone(tmp_path: Path, shared: SharedSettings) -> None:
    (tmp_path / "shared" / "bskernel-store").write_text("2\n")
    (tmp_path / "cache").mkdir()
    told: list[str] = []
    with OpenStore(tmp_path / "cache", shared, told.append) as opened:
        digest = opened.store.put(b"x")
        made = Artifact(name="f", kind="file", digest=digest, media_type="x")
        opened.store.remember(ACTION, ActionResult(outputs=(made,)))
    assert "layout" in told[0]
    assert len(told) == 1
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["bskernel-store"]


@pytest.mark.parametrize(
    "name", ["../../outside", "/outside", "..", "", "a\0b", "n" * 300, "a/b", "\u00fc" * 200, "twice"]
)
def test_a_result_that_would_be_laid_elsewhere_or_nowhere_is_none(
    tmp_path: Path, shared: SharedSettings, name: str
) -> None:
    result = remembered(tmp_path / "one", shared, tmp_path)
    (path,) = (tmp_path / "shared" / "actions").glob("*/*")
    outputs = tuple(msgspec.structs.replace(made, name=name) for made in result.outputs)
    path.write_bytes(seal(path.name, canonical_bytes(msgspec.structs.replace(result, outputs=outputs))))
    (tmp_path / "two").mkdir()
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        assert opened.store.peek(ACTION) is None
        assert opened.store.recall(ACTION) is None


def test_inputs_can_be_shared_without_a_result(tmp_path: Path, shared: SharedSettings) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "model").write_text("5")
    with (
        OpenStore(tmp_path / "one", shared, pytest.fail) as one,
        OpenStore(tmp_path / "two", shared, pytest.fail) as two,
    ):
        artifact = one.store.observe(tmp_path / "model", "model", "file", "x")
        assert not two.store.materialise(artifact, tmp_path / "laid")
        assert one.store.share([artifact])  # type: ignore[attr-defined]
        assert two.store.materialise(artifact, tmp_path / "laid")


def test_a_worker_s_process_opens_the_store_from_pickled_settings(tmp_path: Path, shared: SharedSettings) -> None:
    result = remembered(tmp_path / "one", shared, tmp_path)
    (tmp_path / "two").mkdir()
    code = (
        "import pickle, sys, msgspec\n"
        "from pathlib import Path\n"
        "from bskernel.store import OpenStore\n"
        "settings, action, result = pickle.load(sys.stdin.buffer)\n"
        "with OpenStore(Path(sys.argv[1]), settings, print) as opened:\n"
        "    assert opened.store.recall(action) == result\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "two")]
    subprocess.run(command, input=pickle.dumps((shared, ACTION, result)), check=True)


# What is brought here of a result


FILE = Wanted(outputs=frozenset({"file"}))
NOTHING = Wanted(outputs=frozenset())


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests of the blobs, and the keys of the results, that are read from a shared store."""
    found: list[str] = []
    fetch, result = RemoteStore.fetch, RemoteStore.result

    def noting_fetch(self: RemoteStore, digest: Digest, target: str) -> BlobState:
        found.append(digest.sha256)
        return fetch(self, digest, target)

    def noting_result(self: RemoteStore, key: str, target: str) -> bytes | None:
        found.append(key)
        return result(self, key, target)

    monkeypatch.setattr(RemoteStore, "fetch", noting_fetch)
    monkeypatch.setattr(RemoteStore, "result", noting_result)
    return found


def test_of_a_result_only_what_is_wanted_is_brought_and_the_rest_when_it_is_read(
    tmp_path: Path, shared: SharedSettings, fetched: list[str]
) -> None:
    result = remembered(tmp_path / "one", shared, tmp_path)
    file, tree = result.outputs
    assert result.log is not None
    (tmp_path / "two").mkdir()
    fetched.clear()
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        store = opened.store
        assert store.look_up(ACTION, None, FILE, here=True) is None
        assert fetched == [], "no other machine was asked"
        assert store.look_up(ACTION, None, FILE) == result
        assert set(fetched) == {ACTION.key.sha256, file.digest.sha256, result.log.sha256}
        fetched.clear()
        assert DiskStore(tmp_path / "two").recall(ACTION, origin=shared.origin) is None, (
            "the cache itself holds no half results"
        )
        assert store.look_up(ACTION, None, FILE, here=True) == store.peek(ACTION) == result
        assert fetched == []
        assert store.materialise(tree, tmp_path / "laid")
        assert (tmp_path / "laid" / "deep" / "b").read_text() == "second"
    # Now it is here as a whole, and stays so without the shared store.
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        assert opened.store.look_up(ACTION, None, NOTHING, here=True) == result
    assert DiskStore(tmp_path / "two").recall(ACTION, origin=shared.origin) == result
    assert [path for path in (tmp_path / "two" / "known").rglob("*") if path.is_file()] == []


def test_what_an_earlier_build_has_looked_up_is_not_asked_for_again(
    tmp_path: Path, shared: SharedSettings, fetched: list[str]
) -> None:
    result = remembered(tmp_path / "one", shared, tmp_path)
    (tmp_path / "two").mkdir()
    for expected in (2, 0):
        fetched.clear()
        with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
            assert opened.store.look_up(ACTION, None, NOTHING) == result
        assert len(fetched) == expected, "the result and its log"
    # Only for builds that use that store.
    (tmp_path / "other").mkdir()
    other = SharedSettings(url=str(tmp_path / "other"))
    with OpenStore(tmp_path / "two", other, pytest.fail) as opened:
        assert opened.store.look_up(ACTION, None, NOTHING) is None
    with OpenStore(tmp_path / "two", None, pytest.fail) as opened:
        assert opened.store.look_up(ACTION, None, NOTHING) is None


def test_of_trees_the_listings_are_brought_where_they_are_wanted(
    tmp_path: Path, shared: SharedSettings, fetched: list[str]
) -> None:
    result = remembered(tmp_path / "one", shared, tmp_path)
    (tmp_path / "two").mkdir()
    fetched.clear()
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        assert opened.store.look_up(ACTION, None, Wanted(outputs=frozenset(), listings=True)) == result
    assert result.log is not None
    assert set(fetched) == {ACTION.key.sha256, result.outputs[1].digest.sha256, result.log.sha256}


def test_once_in_doubt_only_results_count_that_are_here_as_a_whole(tmp_path: Path, shared: SharedSettings) -> None:
    result = remembered(tmp_path / "one", shared, tmp_path)
    (tmp_path / "two").mkdir()
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        store = opened.store
        assert store.look_up(ACTION, None, FILE) == result
        for made in tmp_path.glob(f"shared/blobs/*/{result.outputs[1].digest.sha256}"):
            made.unlink()
        assert not store.materialise(result.outputs[1], tmp_path / "laid")
        assert not (tmp_path / "laid").exists()
        assert store.look_up(ACTION, None, FILE) == result, "nobody has said that it was needed"
        store.doubt()
        assert store.look_up(ACTION, None, FILE, here=True) is None
        assert store.look_up(ACTION, None, FILE) is None
        assert store.peek(ACTION) == result, "the result itself is still there"
        # Who makes it again mends it for all.
        shutil.copytree(tmp_path / "one" / "blobs", tmp_path / "two" / "blobs", dirs_exist_ok=True)
        store.remember(ACTION, result)
    (tmp_path / "three").mkdir()
    with OpenStore(tmp_path / "three", shared, pytest.fail) as opened:
        assert opened.store.recall(ACTION) == result


@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_a_result_of_which_a_wanted_blob_is_lost_is_none(tmp_path: Path, shared: SharedSettings, damage: str) -> None:
    result = remembered(tmp_path / "one", shared, tmp_path)
    (tmp_path / "two").mkdir()
    (blob,) = tmp_path.glob(f"shared/blobs/*/{result.outputs[0].digest.sha256}")
    blob.unlink() if damage == "gone" else blob.write_bytes(b"torn!")
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        assert opened.store.look_up(ACTION, None, FILE) is None
        assert opened.store.look_up(ACTION, None, NOTHING) == result


def test_inputs_that_only_the_shared_store_has_need_not_come_here_to_be_shared(
    tmp_path: Path, shared: SharedSettings, fetched: list[str]
) -> None:
    result = remembered(tmp_path / "one", shared, tmp_path)
    (tmp_path / "two").mkdir()
    with OpenStore(tmp_path / "two", shared, pytest.fail) as opened:
        assert opened.store.look_up(ACTION, None, NOTHING) == result
        fetched.clear()
        assert opened.store.share(result.outputs)  # type: ignore[attr-defined]
        assert fetched == [result.outputs[1].digest.sha256], "what is in the tree"


# What fails


def test_a_failing_store_is_told_of_once_and_asked_again_after_a_while() -> None:
    now, told = [0.0], list[tuple[str, bool]]()
    breaker = CircuitBreaker(lambda error, writing: told.append((str(error), writing)), clock=lambda: now[0])
    breaker.record_failure(OSError("gone"))
    assert not breaker.is_open()
    assert not breaker.is_open(writing=True)
    now[0] = 31.0
    assert breaker.is_open()
    breaker.record_failure(OSError("gone again"))
    now[0] = 62.0
    assert not breaker.is_open(), "twice as long after the second failure"
    now[0] = 92.0
    assert breaker.is_open()
    breaker.record_success()
    breaker.record_failure(OSError("gone"))
    now[0] = 123.0
    assert breaker.is_open(), "it has answered meanwhile"
    breaker.record_failure(TimeoutError(), lost_s=60.0)
    now[0] = 722.0
    assert not breaker.is_open(), "no more than a tenth of a build's time is lost"
    now[0] = 724.0
    assert breaker.is_open()
    assert told == [("gone", False)]


@pytest.mark.parametrize("error", [PermissionError("no"), OSError(errno.ENOSPC, "full")])
def test_a_store_that_cannot_be_written_is_still_read(error: OSError) -> None:
    told: list[bool] = []
    breaker = CircuitBreaker(lambda _, writing: told.append(writing), clock=lambda: 0.0)
    breaker.record_failure(error, writing=True)
    assert breaker.is_open()
    assert not breaker.is_open(writing=True)
    assert told == [True]


def test_who_hangs_is_left_behind() -> None:
    freed = threading.Event()
    with pytest.raises(TimeoutError, match="no answer"):
        bounded_map(lambda item: item or freed.wait(), [1, 0], limit_s=lambda _: 0.1)
    with pytest.raises(TimeoutError, match="no answer"):
        bounded_call(freed.wait, 0.1)
    freed.set()


def test_all_are_done_in_order_or_the_first_error_is_raised() -> None:
    assert bounded_map(lambda item: item * 2, range(100), limit_s=lambda _: 60) == list(range(0, 200, 2))
    assert bounded_map(lambda item: item, [], limit_s=lambda _: 60) == []
    with pytest.raises(ZeroDivisionError):
        bounded_map(lambda item: 1 // item, [1, 0, 1], limit_s=lambda _: 60)
    assert bounded_call(lambda: "done", 60) == "done"
    with pytest.raises(ZeroDivisionError):
        bounded_call(lambda: 1 // 0, 60)


# What names it


def test_the_environment_comes_before_the_file_and_without_its_options() -> None:
    file = {"store": {"shared": "s3://theirs", "mode": "write-back", "options": {"endpoint_url": "http://theirs"}}}
    assert override_store(file, {}) == file
    assert override_store(file, {"BSKERNEL_STORE": "s3://ours"})["store"] == {
        "shared": "s3://ours",
        "mode": "write-back",
    }
    assert override_store(file, {"BSKERNEL_STORE": "none"})["store"] == {}
    assert override_store({}, {"BSKERNEL_STORE": "here"})["store"] == {"shared": str(Path("here").absolute())}
    with pytest.raises(ConfigError, match="BSKERNEL_STORE_MODE=writes"):
        override_store(file, {"BSKERNEL_STORE_MODE": "writes"})


def test_read_only_in_the_environment_stands() -> None:
    section = StoreSection(shared="s3://b", mode="write-through")
    assert restrict_store(section, {"BSKERNEL_STORE_MODE": "read-only"}).mode == "read-only"
    assert restrict_store(section, {"BSKERNEL_STORE_MODE": "write-back"}) == section
    assert restrict_store(section, {}) == section


@pytest.mark.parametrize(
    ("shared", "url"),
    [
        ("there", "{here}/there"),
        ("/nfs/steps", "/nfs/steps"),
        ("file:///nfs/steps", "/nfs/steps"),
        ("s3://bucket/prefix", "s3://bucket/prefix"),
    ],
)
def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path, shared: str, url: str) -> None:
    found = shared_settings(StoreSection(shared=shared), tmp_path)
    assert found is not None
    assert found.url == url.format(here=tmp_path)
    assert shared_settings(StoreSection(), tmp_path) is None


def test_a_protocol_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gopher://"):
        shared_settings(StoreSection(shared="gopher://x"), tmp_path)


def test_a_library_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentLacking, match="gcsfs"):
        shared_settings(StoreSection(shared="gs://x"), tmp_path)


def test_settings_are_shown_without_credentials() -> None:
    settings = SharedSettings(
        url="sftp://me:hushhush@host:22/path?key=hushhush", options={"password": "alsohush", "x": {"token": "third"}}
    )
    assert settings.shown == "sftp://host:22/path"
    told = settings.without_secrets(OSError("me:hushhush@host alsohush third: refused\nby host"))
    for text in (repr(settings), told):
        assert not any(secret in text for secret in ("hush", "third"))
    assert told.endswith("refused by host")


ASKED_FOR_NOTHING = """
from pathlib import Path
from bskernel.config import StoreSection
from bskernel.store import OpenStore, shared_settings
shared = shared_settings(StoreSection(shared="s3://b"), Path())
with OpenStore(Path({cache!r}), shared, print) as opened:
    opened.store.get(opened.store.put(b"x"))
"""


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import bskernel.workspace.workspace, bskernel.store", {"fsspec", "s3fs"}),
        ("import bskernel.cli.store", {"fsspec", "msgspec", "bskernel.workspace.workspace"}),
        (ASKED_FOR_NOTHING, {"fsspec", "s3fs", "botocore", "asyncio"}),
    ],
)
def test_libraries_are_imported_when_a_shared_store_is_asked(code: str, absent: set[str], tmp_path: Path) -> None:
    script = f"{code.replace('{cache!r}', repr(str(tmp_path)))}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert absent.isdisjoint(done.stdout.split())


# Who uses a cache


def test_a_cache_is_tidied_by_one_while_nobody_uses_it(tmp_path: Path) -> None:
    with (
        hold_shared(tmp_path),
        hold_shared(tmp_path),
        pytest.raises(EnvironmentLacking, match="a build is using"),
        hold_exclusive(tmp_path),
    ):
        pass
    with hold_exclusive(tmp_path), pytest.raises(EnvironmentLacking), hold_exclusive(tmp_path):
        pass


def test_a_use_is_noted_at_most_once_a_day(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    made = Artifact(name="f", kind="file", digest=store.put(b"x"), media_type="x")
    store.remember(ACTION, ActionResult(outputs=(made,)))
    (path,) = (tmp_path / "actions").glob("*/*")
    hour_ago, week_ago = path.stat().st_mtime - 3600, path.stat().st_mtime - 7 * 86_400
    os.utime(path, (hour_ago, hour_ago))
    assert store.recall(ACTION) is not None
    assert path.stat().st_mtime == pytest.approx(hour_ago, abs=1)
    os.utime(path, (week_ago, week_ago))
    assert store.recall(ACTION) is not None
    assert path.stat().st_mtime > hour_ago
    assert store.recall(msgspec.structs.replace(ACTION, salt="other")) is None
    assert digest_of_bytes(b"x") == made.digest
