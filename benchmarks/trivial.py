"""Steps that do next to nothing: what is measured is what is done around them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.images import find_recipes
from bskernel.images.engine import connect
from bskernel.images.recipe_image import image_name
from ground import BSKERNEL, Ground, arithmetic_root, steps
from measurement import After, Goal, Row, call, medians
from mechanisms import CHAINED, CONTAINER, INDEPENDENT, bare_rows, chained, container, independent
from peers import clear_state, installed, step_command

Action = Callable[[], object]


def engine_answers() -> bool:
    """Is there a Docker engine?"""
    try:
        connect().close()
    except EnvironmentLacking:
        return False
    return True


def runtimes() -> list[str]:
    """Those that can be used here."""
    return ["process", "docker"] if engine_answers() else ["process"]


def start_up(_: Path, runs: int) -> list[Row]:
    """How long the command line takes to begin."""
    taken = medians({"help": lambda: call([BSKERNEL, "--help"])}, max(5, runs))
    return [
        Row(
            group="start",
            what="`bskernel --help`",
            value=taken["help"],
            unit="s",
            runs=max(5, runs),
            goal=Goal(0.1, "s"),
        )
    ]


def _ours(ground: Ground, count: int, *, chained: bool) -> dict[str, Action]:
    config = steps(ground.folder, count, chained=chained)

    def run(path: Path) -> None:
        call(ground.command(path), env=ground.env)

    fresh = itertools.count(1_000)
    return {
        "cold": After(ground.forget, functools.partial(run, config)),
        "cached": functools.partial(run, config),
        "last changed": lambda: run(steps(ground.folder, count, chained=chained, last=next(fresh))),
    }


def _theirs(folder: Path, image: str | None, count: int, *, chained: bool, few: bool) -> dict[str, Action]:
    """By peer: cold, and for those that keep results, cached. `few`: only the loop and make, long enough."""
    actions: dict[str, Action] = {}
    for name, peer in installed().items():
        if few and name not in {"shell loop", "make"}:
            continue
        place = folder / name.replace(" ", "-")
        clear_state(place)
        command = peer(place, step_command(place, image), count, chained=chained)

        run = functools.partial(call, command, cwd=place)
        actions[f"{name}, cold"] = After(functools.partial(clear_state, place), run)
        if name != "shell loop":
            actions[f"{name}, cached"] = run
    return actions


def trivial_steps(folder: Path, runs: int, used: Sequence[str] = ()) -> list[Row]:
    """A chain of 12 and 100 independent steps, in each runtime or those `used`, beside what others would take.

    Without bare mechanisms if runtimes are given.
    """
    root = arithmetic_root(folder / "root")
    rows: list[Row] = []
    for runtime in used or runtimes():
        ground = Ground(folder / runtime, runtime, root=root)
        call(ground.command(steps(ground.folder, 1, chained=True)), env=ground.env)  # makes what is made once
        image = image_name(find_recipes(root)[0]) if runtime == "docker" else None
        cold: dict[int, float] = {}
        bare: dict[str, float] = {}
        for count, is_chain in ((12, True), (100, False)):
            place = folder / f"{runtime}-{count}"
            few = count == 100 and image is not None
            actions = _ours(ground, count, chained=is_chain) | _theirs(place, image, count, chained=is_chain, few=few)
            least = {} if used else _least(folder, image, chain=is_chain)
            taken = medians(actions | least, runs)
            bare = {name: taken.pop(name) for name in least}
            cold[count] = taken["cold"]
            group = f"{count} {'chained' if is_chain else 'independent'} trivial steps, {runtime}"
            rows += _rows(group, taken, runs, goal=Goal({12: 0.2, 100: 0.1}[count]) if image else None)
            rows += bare_rows(group, bare, runs)
        group = f"one more step, {runtime}"
        one = (cold[100] - cold[12]) / 88 * 1e3
        what = "(100 independent - 12 chained) / 88"
        rows.append(Row(group=group, what=what, value=one, unit="ms", runs=runs, goal=Goal(3, "ms")))
        rows += bare_rows(group, bare, runs)  # those of the independent steps, which such a step is one of
    return rows


def _least(folder: Path, image: str | None, *, chain: bool) -> dict[str, Action]:
    """The bare mechanisms, by name."""
    if not chain:
        return {INDEPENDENT: independent(folder)}
    return {CHAINED: chained(folder)} | ({CONTAINER: container(image)} if image else {})


def _rows(group: str, taken: dict[str, float], runs: int, goal: Goal | None) -> list[Row]:
    goals = {"cold": goal, "cached": Goal(0.2, "s") if group.startswith("12 ") else None}
    loop = taken["shell loop, cold"]
    return [
        Row(
            group=group,
            what=f"bskernel, {name}" if name in {"cold", "cached", "last changed"} else name,
            value=value,
            unit="s",
            runs=runs,
            goal=goals.get(name),
            against="the shell loop",
            ratio=value / loop,
        )
        for name, value in taken.items()
    ]
