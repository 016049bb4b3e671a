"""Prepares a sweep: reads its configuration and plans its points on this machine."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bskernel.config import Collection, Config, Flow, Loop, SweepSection
from bskernel.config.assignments import ConfigText
from bskernel.config.decoder import convert
from bskernel.config.reader import read_config
from bskernel.core.errors import BskernelError, ConfigError
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.flow.loader import check_config, load_flow, shipped_loops
from bskernel.flow.selection import RangeRequest
from bskernel.flow.snapshot import with_range
from bskernel.plan.backend_choice import Choice
from bskernel.plan.planner import Plan
from bskernel.plan.target import doubts_about
from bskernel.sweeps.analysis.analysis import goals_of
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.analysis.table import counted
from bskernel.sweeps.planning.graph import Point, SweepPlan
from bskernel.sweeps.planning.planner import PlannedBuild, Planner
from bskernel.sweeps.points.keys import Keys
from bskernel.sweeps.points.points import Points, Settings, of_point, read_section
from bskernel.sweeps.search.repetition import find_loop
from bskernel.workspace.workspace import PreparedBuild, Workspace

CALIBRATION = "calibrate"  # for builds whose flow names no other
_TARGET = "target."


class PreparedSweep:
    """The planned points of a sweep, and the planner for more. Made by `prepare_sweep`."""

    def __init__(self, workspace: Workspace, text: ConfigText, range_request: RangeRequest) -> None:
        """`text` is the build.toml with its [sweep]. Raises ConfigError, EnvironmentLacking."""
        self._application = workspace
        self._wish = range_request
        self.section: SweepSection = read_section(text)
        self.goals: Goals = goals_of(self.section, f"{text.path}: sweep")
        base = {key: value for key, value in text.data.items() if key != "sweep"}
        if self.section.require:
            # Flows may have steps for it; the other keys of [sweep] are hidden from points.
            base["sweep"] = {"require": self.section.require}
        self._keys = Keys(msgspec.structs.replace(text, data=base))
        self.points = Points(self.section, self._keys)
        config = self._keys.config
        flow = load_flow(config, text.path, text.place)
        self.loaded = LoadedConfig(config=config, path=text.path, flow=flow, place=text.place, given=text.given)
        workspace.use_recipes_of(self.loaded)
        self._shared = workspace.shared_planning(self.loaded)
        self._is_built = functools.lru_cache(maxsize=None)(workspace.is_built)
        self.planner = Planner(self._plan_point, workspace.entry)
        where = f"{text.path}: sweep"
        name = self.section.repeat
        self.loop = (
            find_loop(flow.loop, name, where, config.build.flow, others=shipped_loops()) if name is not None else None
        )
        self.plan: SweepPlan = self.planner.plan(self.points.all())
        if self.loop is not None:
            self._check_loop(self.loop, where)

    def _check_loop(self, loop: Loop, where: str) -> None:
        """Raise ConfigError for a point without the step that takes a round's result."""
        step = loop.into.partition(".")[0]
        for point in self.plan.points:
            if step not in {self.plan.nodes[node].step.name for node in point.nodes}:
                raise of_point(
                    ConfigError(f"{where}.repeat: {step} is no step of this build", hint=loop.hint or None),
                    point.settings,
                )

    def extend(self, settings: Sequence[Settings]) -> SweepPlan:
        """Plan more points, e.g. those a search chooses: returns them with all nodes so far; old nodes keep
        their numbers. Keys and values are checked, `when` is not asked (`points.keeps`).

        Raises ConfigError, EnvironmentLacking.
        """
        where = f"{self.loaded.path}: sweep"
        checked = [
            {key: self.points.checked(key, value, f'{where}: "{key}"') for key, value in one.items()}
            for one in settings
        ]
        added = self.planner.plan(checked)
        self.plan = msgspec.structs.replace(added, points=(*self.plan.points, *added.points))
        return added

    def config_of(self, point: Point) -> LoadedConfig:
        """The configuration of a point, as `bskernel run` would have it with the same `--set`."""
        loaded = check_config(self._keys.data_of(point.settings))
        settled = self.planner.shape(point).config
        config = msgspec.structs.replace(loaded.config, build=settled.build, executors=settled.executors)
        flow = loaded.flow if settled.build == loaded.config.build else load_flow(config, loaded.path, loaded.place)
        return with_range(msgspec.structs.replace(loaded, config=config, flow=flow), self._wish)

    def backend_of(self, point: Point) -> Choice | None:
        """The backend of a point, if it asks for one."""
        return self.planner.shape(point).backend

    def plan_of(self, point: Point) -> Plan:
        """The plan of a point, as `bskernel run` would make it with the same `--set`."""
        steps = (self.plan.nodes[node].step for node in point.nodes)
        placed = tuple(msgspec.structs.replace(step, index=at) for at, step in enumerate(steps))
        return Plan(steps=placed, range=self.planner.shape(point).plan.range)

    def warnings(self, points: Sequence[Point]) -> tuple[str, ...]:
        """What these points set that can be built, but is hardly meant, each with the number of points."""
        found: Counter[str] = Counter()
        for point in points:
            own = {key: value for key, value in point.settings.items() if key.startswith(_TARGET)}
            changes = {key.removeprefix(_TARGET): value for key, value in own.items()}
            found.update(doubts_about(msgspec.structs.replace(self.loaded.config.target, **changes)))
        return tuple(f"{doubt} ({counted(number)})" for doubt, number in found.items())

    def prepared(self, point: Point, output: Path) -> PreparedBuild:
        """A point as a build of its own."""
        return PreparedBuild(
            loaded=self.config_of(point), plan=self.plan_of(point), output=output, backend=self.backend_of(point)
        )

    def _plan_point(self, settings: Settings) -> PlannedBuild:
        loaded = check_config(self._keys.data_of(settings))
        make = self._application.planning(loaded, self._wish, self._shared)
        refused = False

        def plan_of(config: Config) -> Plan:
            nonlocal refused
            try:
                return make(config)
            except BskernelError:
                refused = True
                raise

        settled = self._application.resolve_backend(loaded, plan_of, self._is_built)
        # Other parameters may suit a backend that refused these.
        return PlannedBuild(config=settled.loaded.config, plan=settled.plan, backend=settled.choice, alone=refused)


def prepare_sweep(
    workspace: Workspace,
    path: Path,
    *,
    settings: Sequence[str] = (),
    range_request: RangeRequest = RangeRequest(),  # noqa: B008 - frozen
) -> PreparedSweep:
    """Read a build.toml with a [sweep], apply `--set`, and plan all points.

    Raises ConfigError, EnvironmentLacking.
    """
    return PreparedSweep(workspace, read_config(path, settings), range_request)


def _load_flow_of(text: ConfigText) -> Flow:
    config = convert({key: value for key, value in text.data.items() if key != "sweep"}, Config, text.path)
    return load_flow(config, text.path, text.place or text.path.parent)


def prepare_collection(
    workspace: Workspace, path: Path, flow: str | None, *, settings: Sequence[str] = ()
) -> tuple[PreparedSweep, Collection]:
    """Read a build.toml, and plan the points that a flow's collection builds of its network.

    Without `flow` it is the one that the build's own flow names, else flow calibrate. Its own [sweep] is left aside.
    Raises ConfigError, EnvironmentLacking.
    """
    own_flow = _load_flow_of(read_config(path, settings))  # also where it is not asked: a wrong name is a mistake
    flow = flow or own_flow.calibration or CALIBRATION
    text = read_config(path, [*settings, f"build.flow={flow}"])
    collection = _load_flow_of(text).collection
    if collection is None:
        raise ConfigError(f"{text.path}: flow {flow!r} has no [collection]", hint="leave out --collection")
    left_out = [tuple(key.split(".")) for key in collection.without]
    own = {
        section: {key: value for key, value in table.items() if (section, key) not in left_out}
        if isinstance(table, dict)
        else table
        for section, table in text.data.items()
    }
    data = {**own, "sweep": {"grid": {key: list(values) for key, values in collection.grid.items()}}}
    return PreparedSweep(workspace, msgspec.structs.replace(text, data=data), RangeRequest()), collection
