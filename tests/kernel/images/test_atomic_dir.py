"""A folder that is made once: whole, and on the disk before it counts."""

from pathlib import Path

import pytest
from bskernel.images.atomic_dir import DONE, atomic_dir


def test_what_a_folder_holds_is_on_the_disk_before_it_counts_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[str]] = []

    def sync(folder: Path) -> None:
        synced.append(sorted(path.name for path in folder.iterdir()))

    monkeypatch.setattr("bskernel.images.atomic_dir.sync_file_system", sync)
    with atomic_dir(tmp_path / "env", print) as folder:
        assert folder is not None
        folder.mkdir()
        (folder / "file").write_text("x")
    assert synced == [["file"]]
    assert (tmp_path / "env" / DONE).exists()
    with atomic_dir(tmp_path / "env", print) as again:
        assert again is None
    assert len(synced) == 1
