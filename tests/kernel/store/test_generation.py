"""Stamps are believed as long as nothing can have taken the bytes behind them."""

import os
from pathlib import Path

import pytest
from bskernel.store import DiskStore, OpenStore
from bskernel.store.generation import GENERATION, Generation
from support.power_failure import boot_again


def test_a_power_failure_while_a_cache_is_written_begins_a_new_generation(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    digest = store.put(b"content")
    stamp_ns = store.generation.stamp_ns
    assert Generation(tmp_path).stamp_ns == stamp_ns, "the same boot: the bytes are there"
    boot_again(tmp_path)
    path = Path(store.blob_path(digest))
    path.write_bytes(bytes(digest.size))
    os.utime(path, ns=(stamp_ns, stamp_ns))
    again = DiskStore(tmp_path)
    assert again.generation.stamp_ns != stamp_ns
    assert not again.holds(digest)


def synchronise(cache: Path) -> int:
    """Store something as a build does, to its end; returns the generation's stamp."""
    with OpenStore(cache, None, pytest.fail) as opened:
        opened.store.put(b"content")
        return Generation(cache).stamp_ns


def test_after_a_boot_of_the_machine_all_is_read_once_even_what_was_synchronised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp_ns = synchronise(tmp_path)
    monkeypatch.setattr("bskernel.store.generation.boot", lambda: "a later boot")
    later = Generation(tmp_path)
    assert later.stamp_ns != stamp_ns
    assert Generation(tmp_path).stamp_ns == later.stamp_ns, "once"


def test_another_machine_with_the_same_cache_believes_what_was_synchronised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp_ns = synchronise(tmp_path)
    monkeypatch.setattr("bskernel.store.generation.boot", lambda: "the boot of another machine")
    monkeypatch.setattr("bskernel.store.generation._host", lambda: "another-machine")
    assert Generation(tmp_path).stamp_ns == stamp_ns


def test_a_cache_that_nobody_can_write_to_stays_believed_after_a_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp_ns = synchronise(tmp_path)
    monkeypatch.setattr("bskernel.store.generation.boot", lambda: "a later boot")
    (tmp_path / "incoming").rename(tmp_path / "no-incoming")
    assert Generation(tmp_path).stamp_ns == stamp_ns


def test_while_another_process_writes_nothing_is_taken_for_synchronised(tmp_path: Path) -> None:
    with OpenStore(tmp_path, None, pytest.fail) as first:
        with OpenStore(tmp_path, None, pytest.fail) as second:
            second.store.put(b"content")
        assert Generation(tmp_path).is_unsynced
        first.store.put(b"more")
    assert not Generation(tmp_path).is_unsynced


def test_a_cache_that_was_only_read_is_not_written_to(tmp_path: Path) -> None:
    with OpenStore(tmp_path, None, pytest.fail) as opened:
        digest = opened.store.put(b"content")
    before = (tmp_path / GENERATION).stat()
    with OpenStore(tmp_path, None, pytest.fail) as opened:
        assert opened.store.get(digest) == b"content"
    assert (tmp_path / GENERATION).stat() == before


def test_one_stamped_blob_that_is_wrong_makes_all_be_read(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    wrong, right = store.put(b"wrong"), store.put(b"right")
    stamp_ns = store.generation.stamp_ns
    for digest in (wrong, right):
        path = Path(store.blob_path(digest))
        path.write_bytes(b"damag")
        os.utime(path, ns=(stamp_ns, stamp_ns))
    assert store.holds(right), "nobody has looked yet"
    assert store.get(wrong) is None
    assert not store.holds(right)
    assert Generation(tmp_path).stamp_ns != stamp_ns, "other processes doubt them too"


def test_the_generation_is_noted_before_the_first_blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def sync(file: int) -> None:
        order.append("synced")
        fsync(file)

    def move(source: str, target: str) -> None:
        order.append(Path(target).parent.name)
        replace(source, target)

    monkeypatch.setattr("os.fsync", sync)
    monkeypatch.setattr("os.replace", move)
    store = DiskStore(tmp_path)
    order.clear()
    digest = store.put(b"content")
    assert order[:3] == ["synced", tmp_path.name, "synced"]
    assert set(order[3:]) == {digest.sha256[:2]}
