"""Flows of builds that many plans share."""

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.config import Config
from bskernel.core.catalogue import Executors
from bskernel.core.errors import ConfigError
from bskernel.flow.loader import shipped_flow
from bskernel.images import find_recipes, load_executors, locate_root
from bskernel.plan.build_flow import KnownFlows
from bskernel.plan.planner import Plan, make_plan
from bskernel.store.file_digests import FileDigests
from bskernel.workspace.user_files import FilesOnDisk

PATH = Path("/b/build.toml")
MODEL = locate_root() / "examples" / "digits" / "digits_w4a4.onnx"
ESTIMATE = shipped_flow("estimate")


def plan(config: dict[str, Any], executors: Executors, flows: KnownFlows | None = None) -> Plan:
    return make_plan(
        msgspec.convert({"build": {"model": "net.onnx"}, **config}, Config), ESTIMATE.step, executors, path=PATH,
        model=MODEL, files=FilesOnDisk(FileDigests()), flows=flows,
    )  # fmt: skip


def test_plans_that_share_flows_are_those_that_are_made_alone() -> None:
    executors = load_executors(find_recipes(locate_root()))
    flows = KnownFlows(executors, PATH)
    changes: dict[str, tuple[Any, ...]] = {
        "target": ({"board": "ZCU104"}, {"part": "xc7z020clg400-1", "target_fps": 5}),
        "quality": ({}, {"verify": "steps"}, {"verify": "off"}),
        "flow": ({}, {"to": "step_convert_to_hw"}, {"edit": {"remove": ["evaluate_float"]}}),
        "executors": ({}, {"finn-step": "finn-plus-1.4.0"}),
        "parameters": ({}, {"finn-step": {"standalone_thresholds": True}}),
        "step": ({}, {"step_streamline": {"timeout_s": 7.0}}),
    }
    builds = [
        {key: value for key, value in zip(changes, values, strict=True) if value}
        for values in itertools.product(*changes.values())
    ]
    made = [plan(build, executors, flows) for build in builds]
    for build, shared in zip(builds, made, strict=True):
        assert shared == plan(build, executors)
    assert len({tuple(step.name for step in one.steps) for one in made}) > len(changes)


def test_a_flow_that_is_refused_once_is_refused_again() -> None:
    executors = load_executors(find_recipes(locate_root()))
    flows = KnownFlows(executors, PATH)
    wrong = {"target": {"board": "ZCU104"}, "parameters": {"finn-step": {"no_such": 1}}}
    for _ in range(2):
        with pytest.raises(ConfigError, match="no_such"):
            plan(wrong, executors, flows)
    assert plan({"target": {"board": "ZCU104"}}, executors, flows).steps
