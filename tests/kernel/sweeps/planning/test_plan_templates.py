"""Points of which each may have another backend, by arithmetic: no executor is started."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.config import Config, StepTable
from bskernel.core.catalogue import ExecutorInfo, Executors
from bskernel.core.errors import BskernelError, ConfigError
from bskernel.plan.backend_choice import Availability, choose
from bskernel.plan.backend_data import Backend, BackendFile
from bskernel.plan.planner import Plan, make_plan
from bskernel.store.file_digests import FileDigests
from bskernel.sweeps.planning.planner import PlannedBuild, Planner
from bskernel.sweeps.points.points import Settings
from bskernel.workspace.user_files import FilesOnDisk
from bskernel_protocol import Catalogue, EntryDescription, ParameterDescription

PATH = Path("/b.toml")
FLOW = (StepTable(entry="tool:fold"), StepTable(entry="tool:estimate"))


def info(version: str, most: int) -> ExecutorInfo:
    number = ParameterDescription(name="number", help="", schema={"type": "integer", "maximum": most}, default=0)
    entries = (
        EntryDescription(name="fold", summary="", parameters=(number,)),
        EntryDescription(name="estimate", summary=""),
    )
    catalogue = Catalogue(executor="tool", version=version, summary="", protocol=2, entries=entries)
    return ExecutorInfo(
        name="tool", version=version, default=False, digest=lambda: version * 64, catalogue=lambda: catalogue
    )


EXECUTORS = Executors(known=(info("1", 5), info("2", 50)))
BACKENDS = tuple(
    Backend(
        name=name,
        file=BackendFile(order=order, summary="", executors={"tool": str(order)}, flows={"estimate": "estimate"}),
    )
    for order, name in ((1, "small"), (2, "large"))
)


def plan_point(settings: Settings) -> PlannedBuild:
    """As `bskernel run` plans a build with backend = "auto"."""
    data = {"build": {"model": "m", "backend": "auto"}, "parameters": {"tool": {"number": settings[NUMBER]}}}
    refused = False

    def plan_of(config: Config) -> Plan:
        nonlocal refused
        try:
            return make_plan(config, FLOW, EXECUTORS, path=PATH, model=Path("/m"), files=FilesOnDisk(FileDigests()))
        except BskernelError:
            refused = True
            raise

    chosen = choose(msgspec.convert(data, Config), BACKENDS, plan_of, Availability(lacking={}), str(PATH))
    return PlannedBuild(config=chosen.config, plan=chosen.plan, backend=chosen.choice, alone=refused)


NUMBER = "parameters.tool.number"


@pytest.mark.parametrize("numbers", [(1, 10, 2, 20), (10, 1, 20, 2), (10, 20, 1, 2)])
def test_each_point_has_the_backend_that_it_would_have_alone(numbers: tuple[int, ...]) -> None:
    planner = Planner(plan_point, lambda _: None)
    plan = planner.plan([{NUMBER: number} for number in numbers])
    for number, point in zip(numbers, plan.points, strict=True):
        backend = planner.shape(point).backend
        assert backend is not None
        assert backend.backend == ("small" if number <= 5 else "large")
        fold, estimate = (plan.nodes[node].step for node in point.nodes)
        assert fold.parameters == {"number": number}
        assert fold.executor == estimate.executor
        assert fold.executor.version == ("1" if number <= 5 else "2")
    # One of each number, and one estimate for each version: it depends on no parameter.
    assert len(plan.nodes) == len(numbers) + 2


def test_a_point_that_no_backend_takes_is_told_with_its_settings() -> None:
    planner = Planner(plan_point, lambda _: None)
    points: list[dict[str, Any]] = [{NUMBER: 1}, {NUMBER: 51}]
    with pytest.raises(ConfigError, match=r"no backend can run this build: .*the point with .*number = 51"):
        planner.plan(points)
