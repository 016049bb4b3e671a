"""Ends and removes the sessions of owners that have died, in whichever runtime they ran."""

from __future__ import annotations

from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.runtime.session_dirs import SessionFolders, end_processes_of, find_orphans


def remove_orphans(cache: Path) -> list[SessionFolders]:
    """End and remove all orphaned sessions; returns those removed. Others wait until their engine answers again."""
    return [folders for folders in list(find_orphans(cache)) if remove_orphan(folders)]


def remove_orphan(folders: SessionFolders) -> bool:
    """End and remove an orphaned session; False when that is not possible now."""
    if folders.runtime == "docker":
        from bskernel.images.engine import connect
        from bskernel.runtime.container import end_containers_of

        try:
            client = connect(answer_s=30)
        except EnvironmentLacking:
            return False
        import docker

        try:
            end_containers_of(client, folders)
        except (docker.errors.DockerException, OSError):
            return False
        finally:
            client.close()
    else:
        end_processes_of(folders)
    folders.remove()
    return not folders.path.exists()
