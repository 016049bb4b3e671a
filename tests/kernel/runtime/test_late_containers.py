"""A container that the engine makes after its kernel was killed."""

import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bskernel.images.engine import connect
from bskernel.runtime import container
from bskernel.runtime.container import SESSION_LABEL
from bskernel.runtime.orphans import remove_orphan
from bskernel.runtime.session_dirs import SessionFolders, make_folders

pytestmark = pytest.mark.container


@pytest.fixture
def image() -> Iterator[str]:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    client = connect()
    client.import_image_from_data(data.getvalue(), repository="bskernel-test-late", tag="1")
    yield "bskernel-test-late:1"
    client.remove_image("bskernel-test-late:1", force=True)
    client.close()


def containers_of(folders: SessionFolders) -> int:
    client = connect()
    try:
        return len(client.containers(all=True, filters={"label": f"{SESSION_LABEL}={folders.id}"}))
    finally:
        client.close()


def make_container(image: str, folders: SessionFolders) -> None:
    client = connect()
    client.create_container(image, ["/nothing"], labels={SESSION_LABEL: folders.id})
    client.close()


def test_a_container_that_was_asked_for_is_waited_for_and_removed(tmp_path: Path, image: str) -> None:
    folders = make_folders(tmp_path, "docker")
    with pytest.raises(KeyboardInterrupt), container._announced(folders):
        raise KeyboardInterrupt  # the end of a kernel that the engine has not answered
    later = threading.Timer(1.0, make_container, (image, folders))
    later.start()
    assert remove_orphan(folders)
    later.join()
    assert containers_of(folders) == 0
    assert not folders.path.exists()


def test_a_session_that_asked_for_none_is_removed_at_once(tmp_path: Path, image: str) -> None:
    folders = make_folders(tmp_path, "docker")
    with container._announced(folders):
        make_container(image, folders)
    assert containers_of(folders) == 1
    assert remove_orphan(folders)
    assert containers_of(folders) == 0
    assert not folders.path.exists()
