"""Power failures: files that were not on the disk yet are empty, cut or zeroed, with the size and time they had."""

import os
import random
import shutil
import time
import uuid
from pathlib import Path

from bskernel.result.output_folder import MARK

from chaos import invariants, mounts
from chaos.kind import Kind, Trial
from chaos.site import Site


def _files(folder: Path) -> list[Path]:
    found = []
    for inner, _, names in os.walk(folder):  # does not enter links: the environments stay
        found += [Path(inner, name) for name in names]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def lose(path: Path, rng: random.Random) -> None:
    """What a power failure leaves of a file: nothing, its name, its beginning, or its size alone."""
    found = path.stat()
    way = rng.choice(("gone", "emptied", "cut", "zeroed", "zeroed", "zeroed-end"))
    if way == "gone":
        path.unlink()
        return
    data = path.read_bytes()
    at = rng.randrange(len(data) + 1)
    kept = {
        "emptied": b"",
        "cut": data[:at],
        "zeroed": bytes(len(data)),
        "zeroed-end": data[:at] + bytes(len(data) - at),
    }
    path.write_bytes(kept[way])
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def _interrupted(site: Site, folder: Path, rng: random.Random) -> tuple[Path, Path]:
    """A build that the power failure ends, too."""
    project, cache = site.write_project(folder / "project"), site.new_cache(folder / "cache")
    kernel = site.start(project, cache, "run", "build.toml")
    deadline = time.monotonic() + 20
    while not _files(cache) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 1.2))
    kernel.kill()
    kernel.wait()
    invariants.end_descendants()
    return project, cache


def attempt(trial: Trial, *, finished: bool) -> None:
    """Lose a random part of the files of a cache and a build directory: the next run makes everything right.

    That run makes again what the results in the cache name. A damaged blob that none names may stay.
    """
    site, rng = trial.site, trial.rng
    project, cache = site.copy_template(trial.folder) if finished else _interrupted(site, trial.folder, rng)
    files = _files(cache) + _files(project / "build")
    # The mark of an output folder is empty and older than all that is in it: file systems do not lose it alone.
    files = [path for path in files if path.name != MARK]
    lost = rng.sample(files, min(len(files), rng.choice((1, 2, 5, len(files) // 3, len(files)))))
    for path in lost:
        lose(path, rng)
    trial.item = f"{len(lost)} of {len(files)} files lost"
    with mounts.another_boot(trial.folder / "boot", str(uuid.UUID(int=rng.getrandbits(128)))):
        invariants.the_next_run_is_right(trial, project, cache, checks_store=False)
        invariants.no_result_is_incomplete(cache)
        shutil.rmtree(project / "build")
        invariants.the_next_run_is_right(trial, project, cache, repairs_store=True)


KINDS = [
    Kind(
        name="power/finished",
        promise="one run heals what a power failure after a build lost, and nothing wrong is taken for right",
        attempt=lambda trial: attempt(trial, finished=True),
        tries=3,
        volume=50,
    ),
    Kind(
        name="power/building",
        promise="one run heals what a power failure during a build lost",
        attempt=lambda trial: attempt(trial, finished=False),
        tries=2,
        volume=50,
    ),
]
