"""Plans many points as one: what points share is planned once. Pure.

Points whose builds have the same steps, fed by the same files, differ in parameters alone: they have one shape. It is
planned as a build is, for its first point; of every other point a step's parameters are resolved, once for each
combination of the settings that this step reads. Steps that do the same to the same are one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from bskernel_protocol import EntryDescription, canonical_bytes

from bskernel.config import Config
from bskernel.core.errors import BskernelError, ConfigError
from bskernel.core.step import Step
from bskernel.plan.backend_choice import Choice
from bskernel.plan.planner import Plan
from bskernel.sweeps.planning.graph import Node, Point, SweepPlan
from bskernel.sweeps.planning.plan_templates import Numbering, PlanTemplate, Reads, TemplateStep
from bskernel.sweeps.points.points import PointNames, Settings, of_point


class PlannedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A point planned on its own, as `bskernel run` plans it."""

    config: Config  # with its backend resolved
    plan: Plan
    backend: Choice | None = None
    alone: bool = False  # its set of relevant keys holds for this point only


PlanPoint = Callable[[Settings], PlannedBuild]
EntryOf = Callable[[Step], EntryDescription | None]


class _Family:
    """Points that set the same keys, and give the same values to all keys that may change more than parameters."""

    def __init__(self) -> None:
        self.chosen_by: list[str] | None = None  # keys that decide which steps exist; None before the first plan
        self.fed_by: dict[tuple[int, ...], list[str]] = {}  # their values -> keys that name files
        self.shapes: dict[tuple[tuple[int, ...], tuple[int, ...]], PlanTemplate] = {}
        self.alone = False  # every point is planned on its own


class Planner:
    """Plans points, also further ones later: existing nodes keep their numbers, new ones are appended."""

    def __init__(self, plan_point: PlanPoint, entry_of: EntryOf) -> None:
        self._plan_point = plan_point
        self._entry_of = entry_of
        self._families: dict[tuple[Any, ...], _Family] = {}
        self._values = Numbering()
        self._parameters = Numbering()
        self._templates = Numbering()
        self._reads = Reads()
        self._known: dict[tuple[Any, ...], int] = {}
        self._nodes: list[Node] = []
        self._names = PointNames()
        self._shape_of: dict[str, PlanTemplate] = {}

    def plan(self, settings: Iterable[Settings]) -> SweepPlan:
        """These points, with all nodes so far, including those of earlier points.

        Raises ConfigError and EnvironmentLacking as planning a build does, with the point's settings.
        """
        points = tuple(self._point(point) for point in settings)
        return SweepPlan(points=points, nodes=tuple(self._nodes))

    def shape(self, point: Point) -> PlanTemplate:
        """The template made from a planned point."""
        return self._shape_of[point.name]

    def _point(self, settings: Settings) -> Point:
        ids = {key: self._values.of(canonical_bytes(value)) for key, value in settings.items()}
        try:
            shape = self._shape(settings, ids)
            nodes = self._nodes_of(shape, settings, ids)
            if nodes is None:
                # Another backend may take these parameters; if none does, this error says why.
                shape = self._shaped(self._plan_point(settings), ids)
                nodes = self._nodes_of(shape, settings, ids) or ()
        except BskernelError as error:
            raise of_point(error, settings) from error
        name = self._names.of(settings)
        self._shape_of[name] = shape
        return Point(name=name, settings=settings, nodes=nodes)

    def _shape(self, settings: Settings, ids: Mapping[str, int]) -> PlanTemplate:
        """The template of a point; the first point of a template is planned."""
        fixed = tuple((key, number) for key, number in sorted(ids.items()) if not _fills_parameters(key))
        family = self._families.setdefault((fixed, tuple(sorted(ids))), _Family())
        if family.chosen_by is None or family.alone:
            return self._first(family, settings, ids)
        chosen = tuple(ids[key] for key in family.chosen_by)
        if chosen not in family.fed_by:
            return self._first(family, settings, ids)
        fed = tuple(ids[key] for key in family.fed_by[chosen])
        return family.shapes.get((chosen, fed)) or self._first(family, settings, ids)

    def _first(self, family: _Family, settings: Settings, ids: Mapping[str, int]) -> PlanTemplate:
        build = self._plan_point(settings)
        shape = self._shaped(build, ids)
        if family.chosen_by is None:
            family.chosen_by = sorted(build.plan.chosen_by & ids.keys())
        family.alone = family.alone or build.alone
        if not family.alone:
            chosen = tuple(ids[key] for key in family.chosen_by)
            fed_by = family.fed_by.setdefault(chosen, sorted(build.plan.fed_by & ids.keys()))
            family.shapes[chosen, tuple(ids[key] for key in fed_by)] = shape
        return shape

    def _shaped(self, build: PlannedBuild, ids: Mapping[str, int]) -> PlanTemplate:
        entries = [self._entry_of(step) for step in build.plan.steps]
        takes_all = [entry is not None and entry.after_failure for entry in entries]
        return PlanTemplate(
            config=build.config,
            plan=build.plan,
            backend=build.backend,
            takes_all=takes_all,
            ids=ids,
            templates=self._templates,
            parameters=self._parameters,
            reads=self._reads,
        )

    def _nodes_of(self, shape: PlanTemplate, settings: Settings, ids: Mapping[str, int]) -> tuple[int, ...] | None:
        """The point's nodes, new ones included; None if its parameters are refused."""
        nodes: list[int] = []
        try:
            resolved = [step.parameters(settings, ids) for step in shape.steps]
        except ConfigError:
            return None
        for step, (number, parameters) in zip(shape.steps, resolved, strict=True):
            before = tuple([nodes[at] for at in step.before.values()])
            # After a failure it takes everything made until then.
            key = (step.template, number, before, tuple(nodes) if step.takes_all else None)
            node = self._known.get(key)
            if node is None:
                node = self._known[key] = len(self._nodes)
                self._nodes.append(_node(step, parameters, before, shape.config.build.salt))
            nodes.append(node)
        return tuple(nodes)


def _node(step: TemplateStep, parameters: dict[str, Any], before: tuple[int, ...], salt: str) -> Node:
    own = parameters is step.step.parameters
    return Node(
        step=step.step if own else msgspec.structs.replace(step.step, parameters=parameters),
        before=dict(zip(step.before, before, strict=True)),
        salt=salt,
    )


def _fills_parameters(key: str) -> bool:
    """True when the key can change parameters only, unless the flow mentions it elsewhere."""
    section, *parts = key.split(".")
    if key in {"target.part", "target.board"}:
        return False  # a board gives the part, and they may contradict each other
    if section in {"target", "quality"}:
        return len(parts) == 1
    if section == "parameters":
        return len(parts) >= 2
    return section == "step" and len(parts) >= 3 and parts[1] == "parameters"
