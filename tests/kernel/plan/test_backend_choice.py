"""Which backend a build gets, decided by arithmetic: no executor is started."""

from pathlib import Path

import msgspec
import pytest
from bskernel.config import Config, StepTable
from bskernel.core.catalogue import ExecutorInfo, Executors
from bskernel.core.errors import BskernelError, ConfigError, EnvironmentLacking
from bskernel.core.step import ExecutorRef
from bskernel.core.tool import ToolInstall
from bskernel.flow.loader import flow_names
from bskernel.flow.selection import RangeRequest
from bskernel.images import find_recipes
from bskernel.plan.backend_choice import Availability, Choice, Chosen, choose
from bskernel.plan.backend_data import Backend, BackendFile
from bskernel.plan.planner import Plan, make_plan
from bskernel.store.file_digests import FileDigests
from bskernel.tools import equip
from bskernel.workspace.backend import load_backends
from bskernel.workspace.user_files import FilesOnDisk
from bskernel_protocol import Catalogue, EntryDescription, InputDescription, OutputDescription
from support.paths import ROOT

MODEL_IN = (InputDescription("model", kind="file"),)
MODEL_OUT = (OutputDescription("model", kind="file"),)


def info(name: str, version: str, *entries: tuple[str, tuple[str, ...]]) -> ExecutorInfo:
    catalogue = Catalogue(
        executor=name,
        version=version,
        summary="",
        protocol=2,
        entries=tuple(
            EntryDescription(name=entry, summary="", inputs=MODEL_IN, outputs=MODEL_OUT, needs=needs)
            for entry, needs in entries
        ),
    )
    return ExecutorInfo(
        name=name, version=version, default=version == "2", digest=lambda: "0" * 64, catalogue=lambda: catalogue
    )


EXECUTORS = Executors(
    known=(
        info("tool", "1", ("fold", ()), ("estimate", ())),
        info("tool", "2", ("fold", ()), ("estimate", ()), ("stitch", ()), ("synthesise", ("vivado",))),
        info("other", "7", ("map", ()), ("guess", ())),
    ),
    undescribed=(ExecutorRef(name="tool", version="3", digest="0" * 64),),
)
FLOWS = {
    "estimate": ("tool:fold", "tool:estimate"),
    "full": ("tool:fold", "tool:estimate", "tool:stitch", "tool:synthesise"),
    "mapped": ("other:map", "other:guess"),
}


def backend(name: str, order: int, executors: dict[str, str], flows: dict[str, str]) -> Backend:
    return Backend(name=name, file=BackendFile(order=order, summary="", executors=executors, flows=flows))


BACKENDS = (
    backend("old", 1, {"tool": "1"}, {"estimate": "estimate", "full": "full"}),
    backend("new", 2, {"tool": "2"}, {"estimate": "estimate", "full": "full"}),
    backend("else", 3, {"other": "7"}, {"estimate": "mapped"}),
)
NOTHING = Availability(lacking={})


def identify(tool: str, path: Path, where: str) -> ToolInstall:
    return ToolInstall(tool=tool, product="Vivado", version="2024.2", build="1", fingerprint="f", root=path)


def decide(
    text: str, *, here: Availability = NOTHING, last: str | None = None, backends: tuple[Backend, ...] = BACKENDS
) -> Chosen:
    config = msgspec.toml.decode(f'build.model = "net.onnx"\n{text}', type=Config)

    def plan_of(config: Config) -> Plan:
        flow = (
            config.step if isinstance(config.step, tuple) else [StepTable(entry=e) for e in FLOWS[config.build.flow]]
        )
        path = Path("/b.toml")
        plan = make_plan(
            config,
            flow,
            EXECUTORS,
            path=path,
            model=Path("/net.onnx"),
            files=FilesOnDisk(FileDigests()),
            range_request=RangeRequest(last=last),
        )
        return msgspec.structs.replace(plan, steps=equip(plan.steps, config.tools, path, identify))

    return choose(config, backends, plan_of, here, "/b.toml")


def refused(text: str, *, here: Availability = NOTHING, last: str | None = None) -> BskernelError:
    with pytest.raises(BskernelError) as caught:
        decide(text, here=here, last=last)
    return caught.value


def executors_of(chosen: Chosen) -> set[str]:
    return {str(step.executor) for step in chosen.plan.steps}


def test_a_named_backend_gives_its_versions_to_the_steps() -> None:
    chosen = decide('build.backend = "old"')
    assert executors_of(chosen) == {"tool@1"}
    assert chosen.choice.others == {"new": ("not needed: old is named",), "else": ("not needed: old is named",)}


def test_auto_takes_the_first_that_can_and_says_why_not_the_others() -> None:
    chosen = decide('build.backend = "auto"\nbuild.flow = "full"', last="stitch")
    assert chosen.choice.backend == "new"
    assert executors_of(chosen) == {"tool@2"}
    assert "tool@1 has no entry 'stitch'" in chosen.choice.others["old"][0]
    assert chosen.choice.others["else"] == ("not needed: new comes before it",)


def test_auto_passes_over_a_backend_whose_environment_cannot_be_had() -> None:
    here = Availability(lacking={"tool@1": "tool@1: source x is not here"})
    chosen = decide('build.backend = "auto"', here=here)
    assert chosen.choice.backend == "new"
    assert chosen.choice.others["old"] == ("tool@1: source x is not here",)


def test_a_named_backend_whose_environment_cannot_be_had_is_refused() -> None:
    error = refused('build.backend = "old"', here=Availability(lacking={"tool@1": "no recipe"}))
    assert isinstance(error, EnvironmentLacking)
    assert error.message == "/b.toml: backend 'old' cannot run this build: no recipe"


def test_auto_passes_over_a_backend_whose_steps_need_a_tool_that_is_not_declared() -> None:
    error = refused('build.backend = "auto"\nbuild.flow = "full"')
    assert isinstance(error, EnvironmentLacking)
    assert "new: step synthesise needs vivado, but tools.vivado.path is not set" in error.message
    assert "else: it does not offer the flow 'full' (it offers estimate)" in error.message
    chosen = decide('build.backend = "auto"\nbuild.flow = "full"\ntools.vivado.path = "/opt/V"')
    assert chosen.choice.backend == "new"
    assert [tool.root for tool in chosen.plan.steps[-1].executor.tools] == [Path("/opt/V")]


def test_a_backend_that_needs_a_tool_for_all_it_does_is_passed_over_where_none_is_declared() -> None:
    file = msgspec.structs.replace(BACKENDS[0].file, needs=("vivado",))
    backends = (Backend(name="old", file=file), *BACKENDS[1:])
    chosen = decide('build.backend = "auto"', backends=backends)
    assert chosen.choice.backend == "new"
    assert chosen.choice.others["old"] == ("it needs vivado, but tools.vivado.path is not set",)
    declared = decide('build.backend = "auto"\ntools.vivado.path = "/opt/V"', backends=backends)
    assert declared.choice.backend == "old"


def test_only_steps_up_to_the_wanted_last_one_count() -> None:
    assert decide('build.backend = "new"\nbuild.flow = "full"', last="stitch").choice.backend == "new"
    error = refused('build.backend = "new"\nbuild.flow = "full"')
    assert isinstance(error, EnvironmentLacking)
    assert error.message == (
        "/b.toml: backend 'new' cannot run this build: step synthesise needs vivado, but tools.vivado.path is not set"
    )


def test_a_backend_may_run_another_flow_for_the_one_that_is_asked_for() -> None:
    chosen = decide('build.backend = "else"')
    assert [step.name for step in chosen.plan.steps] == ["map", "guess"]
    assert chosen.choice.flow == "mapped"


def test_a_flow_of_the_user_s_own_goes_to_any_backend_that_has_its_entries() -> None:
    chosen = decide('build.backend = "auto"\n[[step]]\nentry = "tool:stitch"\n')
    assert chosen.choice.backend == "new"


def test_a_flow_of_another_backend_s_steps_goes_to_that_one() -> None:
    chosen = decide('build.backend = "auto"\n[[step]]\nentry = "other:map"\n')
    assert chosen.choice.backend == "else"
    assert chosen.choice.others["new"] == ("the flow's steps are those of other",)


def test_an_explicit_version_decides_which_backend_auto_takes() -> None:
    chosen = decide('build.backend = "auto"\nexecutors.tool = "2"')
    assert chosen.choice.backend == "new"
    assert "asks for tool@2, and this backend is tool@1" in chosen.choice.others["old"][0]


def test_an_explicit_version_of_another_executor_is_kept() -> None:
    chosen = decide(
        'build.backend = "old"\nexecutors.other = "7"\n[[step]]\nentry = "tool:fold"\n[[step]]\nentry = "other:map"'
    )
    assert executors_of(chosen) == {"tool@1", "other@7"}


def test_a_step_may_have_another_version_than_its_backend() -> None:
    chosen = decide('build.backend = "old"\nstep.fold.executor = "tool@2"')
    assert [str(step.executor) for step in chosen.plan.steps] == ["tool@2", "tool@1"]


def test_a_version_that_contradicts_the_named_backend_is_an_error() -> None:
    error = refused('build.backend = "old"\nexecutors.tool = "2"')
    assert isinstance(error, ConfigError)
    assert "[executors] asks for tool@2, and this backend is tool@1" in error.message
    assert error.hint is not None


def test_a_backend_that_there_is_not_is_named_with_the_choices() -> None:
    error = refused('build.backend = "newer"')
    assert isinstance(error, ConfigError)
    assert error.hint == "did you mean 'new'? backends: auto, old, new, else"


def test_what_every_backend_refuses_alike_is_the_build_s_own_mistake() -> None:
    error = refused('build.backend = "auto"\nparameters.nosuch.x = 1')
    assert isinstance(error, ConfigError)
    assert error.message == "/b.toml: [parameters.nosuch]: unknown executor 'nosuch'"


def test_a_backend_whose_executor_nobody_described_says_what_to_run() -> None:
    three = (backend("three", 1, {"tool": "3"}, {"estimate": "estimate"}),)
    with pytest.raises(EnvironmentLacking) as caught:
        decide('build.backend = "three"', backends=three)
    assert "tool@3 is not described yet" in caught.value.message
    assert "images describe tool@3 --write" in str(caught.value.hint)


def test_the_choice_is_told_in_words() -> None:
    choice = Choice(asked="auto", backend="a", flow="f", executors={"tool": "1"}, others={"b": ("x", "y")})
    assert choice.lines == (
        "backend: a (the first that can run this build): flow f with tool@1",
        "  not b: x; y",
    )


def test_the_backends_that_ship_name_flows_that_there_are_and_versions_with_recipes() -> None:
    backends = load_backends()
    assert [item.name for item in backends] == ["finn-plus-1.6.1", "finn-plus-1.4.0", "brainsmith"]
    assert len({item.file.order for item in backends}) == len(backends)
    recipes = {recipe.name for recipe in find_recipes(ROOT)}
    for item in backends:
        assert set(item.file.flows.values()) <= set(flow_names())
        if item.name != "brainsmith":  # its recipe is the user's to give
            assert {f"{name}@{version}" for name, version in item.file.executors.items()} <= recipes
