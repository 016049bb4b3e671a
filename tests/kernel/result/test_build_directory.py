"""Build directories beside one another that hold the same steps."""

import os
from pathlib import Path

import pytest
from bskernel.core.action import Action
from bskernel.result.build_directory import BuildDirectory, HardlinkCache, last_files
from bskernel_protocol import StepManifest, canonical_bytes

ACTION = Action(protocol=2, executor="e@1", executor_digest="d", entry="add", parameters={}, inputs={}, salt="")
MANIFEST = StepManifest(
    protocol=2, step="a", executor="e", version="1", executor_digest="d", entry="add", parameters={}, inputs=()
)
FILES = {
    "action.msgpack": canonical_bytes(ACTION),
    "manifest.msgpack": canonical_bytes(MANIFEST),
    "log.jsonl": b"log",
}


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_another_directory_has_of_a_step_is_linked(tmp_path: Path) -> None:
    twins = HardlinkCache()
    noted = BuildDirectory(tmp_path / "p", twins).record_step("00-a", ACTION, MANIFEST, b"log")
    other = BuildDirectory(tmp_path / "q", twins)
    assert other.record_same_step("03-a", noted)
    assert held(other.step("03-a")) == held(noted.folder) == FILES
    assert all((noted.folder / name).samefile(other.step("03-a") / name) for name in FILES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["longer", "gone", "there already"])
def test_a_step_is_written_anew_where_it_cannot_be_linked(tmp_path: Path, name: str, how: str) -> None:
    twins = HardlinkCache()
    noted = BuildDirectory(tmp_path / "p", twins).record_step("00-a", ACTION, MANIFEST, b"log")
    other = BuildDirectory(tmp_path / "q", twins)
    if how == "longer":
        with (noted.folder / name).open("ab") as file:
            file.write(b"more")
    elif how == "gone":
        (noted.folder / name).unlink()
    else:
        other.step("00-a").mkdir(parents=True)
        (other.step("00-a") / name).write_bytes(b"of an earlier build")
    assert not other.record_same_step("00-a", noted)
    other.record_step("00-a", ACTION, MANIFEST, b"log")
    assert held(other.step("00-a")) == FILES


def test_the_folder_that_a_step_had_at_another_place_goes(tmp_path: Path) -> None:
    twins = HardlinkCache()
    noted = BuildDirectory(tmp_path / "p", twins).record_step("00-a", ACTION, MANIFEST, b"log")
    BuildDirectory(tmp_path / "q", twins).record_step("05-a", ACTION, MANIFEST, b"log")
    again = BuildDirectory(tmp_path / "q", twins)
    assert again.record_same_step("00-a", noted)
    assert [path.name for path in (tmp_path / "q" / "steps").iterdir()] == ["00-a"]


def test_files_of_the_user_s_stay_in_the_folder_that_a_step_had_at_another_place(tmp_path: Path) -> None:
    BuildDirectory(tmp_path / "q").record_step("05-a", ACTION, MANIFEST, b"log")
    (tmp_path / "q" / "steps" / "05-a" / "notes.txt").write_text("mine")
    BuildDirectory(tmp_path / "q").record_step("00-a", ACTION, MANIFEST, b"log")
    assert held(tmp_path / "q" / "steps" / "05-a") == {"notes.txt": b"mine"}
    assert held(tmp_path / "q" / "steps" / "00-a") == FILES


def test_what_the_user_put_in_the_place_of_a_step_or_a_file_of_the_build_is_kept(tmp_path: Path) -> None:
    build = BuildDirectory(tmp_path / "q")
    build.open()
    build.record_step("00-a", ACTION, MANIFEST, b"log")
    build.write_results("{}\n", last_files({}, "it failed"))
    build.close()
    for name in ("result.json", "metrics.json", "failure.txt", "log.jsonl", "steps/00-a/log.jsonl"):
        path = tmp_path / "q" / name
        path.unlink(missing_ok=True)
        path.mkdir()
        (path / "notes.txt").write_text(name)
    (tmp_path / "q" / "steps" / "01-b").write_text("01-b")
    build.open()
    for label in ("00-a", "01-b"):
        build.record_step(label, ACTION, MANIFEST, b"log")
    build.write_results("{}\n", {})
    build.close()
    kept = sorted(path.read_text() for path in (tmp_path / "q" / "kept").rglob("*") if path.is_file())
    assert kept == ["01-b", "failure.txt", "log.jsonl", "metrics.json", "result.json", "steps/00-a/log.jsonl"]
    assert held(tmp_path / "q" / "steps" / "00-a") == held(tmp_path / "q" / "steps" / "01-b") == FILES


@pytest.mark.parametrize("what", ["FIFO", "no text", "a folder", "a link"])
def test_a_stamp_that_is_something_else_is_none_or_another(tmp_path: Path, what: str) -> None:
    build = BuildDirectory(tmp_path / "q")
    build.open()
    build.write_results("{}\n", {})
    build.close()
    build.write_stamp("right")
    assert build.stamp() == "right"
    path = tmp_path / "q" / ".stamp"
    path.unlink()
    if what == "FIFO":
        os.mkfifo(path)
    elif what == "no text":
        path.write_bytes(b"\xff")
    elif what == "a folder":
        path.mkdir()
    else:
        path.symlink_to("result.json")
    assert build.stamp() != "right"
    build.write_stamp("again")
    assert build.stamp() == "again"
    assert (tmp_path / "q" / "result.json").read_text() == "{}\n"
