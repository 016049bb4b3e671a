"""What executors run in is counted by its last use, and removed unless it is in use."""

import io
import os
import subprocess
import sys
import tarfile
import time
import uuid
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from bskernel.commands.made_items import collect_made, find_made
from bskernel.images.atomic_dir import DONE
from bskernel.images.engine import connect
from bskernel.images.usage import (
    MadeItem,
    find_environments,
    find_images,
    note_environment_use,
    note_image_use,
    remove_image,
    select_unused,
)
from hypothesis import given
from support.eventually import eventually

DAY = 86_400.0
ITEMS = st.builds(
    MadeItem,
    kind=st.just("environment"),
    id=st.uuids().map(str),
    bytes=st.integers(0, 10),
    used=st.floats(0, 100),
    recipes=st.sampled_from([(), ("finn-step@1",)]),
    in_use=st.booleans(),
)


def make_environment(cache: Path, name: str, *, age_s: float, size: int = 1000) -> Path:
    folder = cache / "envs" / name
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"1" * size)
    (folder / DONE).touch()
    os.utime(folder / DONE, (time.time() - age_s, time.time() - age_s))
    return folder


@given(st.lists(ITEMS, max_size=8), st.none() | st.floats(0, 100), st.none() | st.integers(0, 40))
def test_what_is_chosen_is_unused_and_what_stays_fits(
    made: list[MadeItem], older_than_s: float | None, max_bytes: int | None
) -> None:
    chosen = select_unused(made, now=100.0, older_than_s=older_than_s, max_bytes=max_bytes)
    left = [item for item in made if item not in chosen]
    assert not any(item.in_use for item in chosen)
    if max_bytes is not None:
        free = [item for item in left if not item.in_use]
        assert sum(item.bytes for item in left) <= max_bytes or not free
    if older_than_s is not None:
        assert all(item.in_use or 100.0 - item.used <= older_than_s for item in left)
    if older_than_s is None and max_bytes is None:
        assert chosen == ()
    if older_than_s is None:  # what recipes need goes last
        assert not any(item.recipes for item in chosen) or all(item.recipes or item.in_use for item in left)


def test_old_environments_go_and_others_stay(tmp_path: Path) -> None:
    old, new = make_environment(tmp_path, "old", age_s=40 * DAY), make_environment(tmp_path, "new", age_s=DAY)
    shown = collect_made(tmp_path, 30 * DAY, None, pytest.fail, dry_run=True)
    assert [(item.id, item.bytes) for item in shown if item.kind == "environment"] == [("envs/old", 1000)]
    assert old.exists()
    gone = collect_made(tmp_path, 30 * DAY, None, pytest.fail, dry_run=False)
    assert [item.id for item in gone if item.kind == "environment"] == ["envs/old"]
    assert not old.exists()
    assert new.exists()


def test_an_environment_that_was_used_again_counts_as_new(tmp_path: Path) -> None:
    folder = make_environment(tmp_path, "back", age_s=40 * DAY)
    note_environment_use(folder)
    assert collect_made(tmp_path, 30 * DAY, None, pytest.fail, dry_run=False) == ()
    assert folder.exists()


def test_an_environment_stays_while_a_process_runs_in_it(tmp_path: Path) -> None:
    folder = make_environment(tmp_path, "busy", age_s=40 * DAY)
    command = [sys.executable, "-c", "import sys; sys.stdin.read()", str(folder / "bin" / "python")]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as session:
        # A process that has just begun shows no command line for a moment.
        eventually(lambda: [item.in_use for item in find_environments(tmp_path, ())] == [True])
        assert collect_made(tmp_path, 30 * DAY, 0, pytest.fail, dry_run=False) == ()
        assert session.stdin is not None
        session.stdin.close()
    assert [item.id for item in collect_made(tmp_path, 30 * DAY, 0, pytest.fail, dry_run=False)] == ["envs/busy"]


def test_environments_of_another_cache_are_not_of_this_one(tmp_path: Path) -> None:
    folder = make_environment(tmp_path / "other", "theirs", age_s=40 * DAY)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "envs").symlink_to(folder.parent)
    assert find_made(tmp_path / "cache", pytest.fail) == ()
    assert collect_made(tmp_path / "cache", 0, 0, pytest.fail, dry_run=False) == ()
    assert folder.exists()


@pytest.mark.container
def test_images_that_this_cache_used_go_with_what_they_rest_on_and_others_stay(tmp_path: Path) -> None:
    client = connect()
    name = f"bskernel-usage-{uuid.uuid4().hex[:8]}"

    def make(tag: str, base: str, label: str, content: bytes) -> str:
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as archive:
            text = f"FROM {base}\nCOPY {tag} /{tag}\nLABEL {label}={name}-{tag}\n".encode()
            for path, data in (("Dockerfile", text), (tag, content)):
                info = tarfile.TarInfo(path)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        context.seek(0)
        options: Any = {"fileobj": context, "custom_context": True, "tag": f"{name}:{tag}", "decode": True}
        options |= {"rm": True, "forcerm": True}  # a container that is left would keep images that were removed
        list(client.build(**options))
        found: Any = client.inspect_image(f"{name}:{tag}")  # type: ignore[no-untyped-call]
        return str(found["Id"])

    environment = make("env", "scratch", "bskernel.environment", name.encode())
    images = [make(tag, f"{name}:env", "bskernel.recipe", tag.encode()) for tag in ("one", "two")]
    try:
        assert find_images(tmp_path, (), client) == []  # the engine has them, but this cache did not use them
        for image in images:
            note_image_use(tmp_path, image)
        one, two = (next(item for item in find_images(tmp_path, (), client) if item.id == image) for image in images)
        assert remove_image(tmp_path, one, client)
        there = {image["Id"] for image in client.images()}
        assert one.id not in there
        assert {two.id, environment} <= there
        assert [item.id for item in find_images(tmp_path, (), client)] == [two.id]
        assert remove_image(tmp_path, two, client)
        left = {image["Id"]: image for image in client.images()}
        assert {two.id, environment}.isdisjoint(left), [left.get(two.id), left.get(environment)]
    finally:
        for image in client.images(name=name):
            client.remove_image(image["Id"], force=True)
        client.close()
