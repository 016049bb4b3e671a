"""A small sweep, and what must hold of it after anything."""

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from chaos import invariants
from chaos.kind import Trial, Violation
from chaos.site import NAME, PROJECT, Site

SWEEP = PROJECT.replace(f'name = "{NAME}"', 'name = "b"') + '\n[sweep.grid]\n"target.target_fps" = [1, 2, 3]\n'


def _made_by_sweep(project: Path) -> dict[str, str]:
    output = project / "build" / "b-sweep"
    found: dict[str, Any] = json.loads((output / "sweep.json").read_bytes())
    rows = {
        str(number): json.dumps(row.get("metrics"), sort_keys=True)
        for number, row in enumerate(found["table"]["rows"])
    }
    made = {"status": found["status"]} | rows | invariants.files_of(output / "points")
    return {name: text for name, text in made.items() if "/" not in name or "/artifacts/" in name}


@functools.cache
def _undisturbed(site: Site) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project, cache = site.write_project(folder / "project", SWEEP), site.new_cache(folder / "cache")
        invariants.proper(site.run(project, cache, "sweep", "build.toml"), {0})
        return _made_by_sweep(project)


def the_points_are_right(trial: Trial, project: Path) -> None:
    """Raise Violation unless rows and artifacts of a finished sweep are those of an undisturbed one."""
    if different := invariants.changes(_undisturbed(trial.site), _made_by_sweep(project)):
        raise Violation(f"the sweep made something else: {'; '.join(different[:3])}", "wrong")


def the_sweep_is_right(trial: Trial, project: Path, cache: Path) -> None:
    """Run the sweep to its end: its points are right."""
    done = invariants.proper(trial.site.run(project, cache, "sweep", "build.toml"))
    if done.code != 0:
        raise Violation(f"the sweep does not go on: {done}")
    the_points_are_right(trial, project)
