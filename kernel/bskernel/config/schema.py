"""The types of build.toml."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import msgspec

from bskernel.config.cluster import ClusterSection
from bskernel.config.sweep import SweepSection
from bskernel.core.stages import InputType, OutputType

# What a build writes to a shared store: nothing; each result before its step ends; results while the build goes on.
StoreMode = Literal["read-only", "write-through", "write-back"]

_LONGEST_S = 100_000_000  # three years; waits of centuries overflow
_MOST_MIB = 1 << 40  # 2^60 bytes
_LONGEST_NAME = 200  # characters: a file system takes 255, and names get numbers and endings
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_name(text: str) -> bool:
    """True for what a build or a step may be named."""
    return _NAME.fullmatch(text) is not None and len(text) <= _LONGEST_NAME


def _check_length(what: str, name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise ValueError(
            f"{what} {name[:20]}... has {len(name)} characters, and at most {_LONGEST_NAME} are possible"
        )


class BuildSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to build. Paths are relative to the file that names them."""

    model: str
    name: str = ""  # default: that of build.toml if it has another one, or else of the model, without suffix
    flow: str = "estimate"
    backend: str | None = None  # a backend's name, or "auto"; default: what [executors] says
    output: str | None = None  # default: build/NAME beside build.toml
    salt: str = ""  # part of every cache key: change it to rebuild everything

    def __post_init__(self) -> None:
        if self.name and not _NAME.fullmatch(self.name):
            raise ValueError(f"name {self.name!r}: letters, digits, dot, dash and underscore only")
        _check_length("name", self.name)
        if not self.model:
            raise ValueError("model is empty: name an ONNX file")


class TargetSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The target: FPGA part or board, clock period (ns), throughput to reach (inferences/s), what to optimise for.

    `budget`: resource -> how much of the device may be used, a share up to 1, above that a count.
    """

    part: str | None = None
    board: str | None = None
    clock_ns: float = 5.0
    target_fps: int | None = None
    objective: str | None = None
    budget: dict[str, float] | None = None

    def __post_init__(self) -> None:
        if self.objective is None and self.budget is not None:
            raise ValueError('budget needs an objective, such as objective = "fastest"')
        if not 0 < self.clock_ns < math.inf:
            must_be = "above 0" if self.clock_ns <= 0 else "finite"
            raise ValueError(
                f"clock_ns is a period in ns and must be {must_be}, not {self.clock_ns}; 5.0 is a clock of 200 MHz"
            )
        if self.target_fps is not None and self.target_fps <= 0:
            raise ValueError(f"target_fps must be above 0, not {self.target_fps}; it counts inferences/s")
        for name in ("part", "board"):
            if getattr(self, name) == "":
                raise ValueError(f"{name} is empty: leave it out, or give one")


class StepOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a build to one step of its flow."""

    executor: str | None = None  # NAME or NAME@VERSION
    entry: str | None = None
    parameters: dict[str, Any] = {}
    inputs: dict[str, str] = {}  # input name -> file or folder, or "STEP.OUTPUT"
    tools: dict[str, str] = {}  # tool -> one of its versions in [tools.TOOL.versions]
    timeout_s: float | None = None
    memory_mib: int | None = None

    def __post_init__(self) -> None:
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise ValueError(f"timeout_s must be above 0, not {self.timeout_s}")
        if self.timeout_s is not None and not self.timeout_s <= _LONGEST_S:
            raise ValueError(f"timeout_s must be at most {_LONGEST_S:_}, not {self.timeout_s}; it counts seconds")
        if self.memory_mib is not None and self.memory_mib <= 0:
            raise ValueError(f"memory_mib must be above 0, not {self.memory_mib}")
        if self.memory_mib is not None and self.memory_mib > _MOST_MIB:
            raise ValueError(f"memory_mib must be at most {_MOST_MIB:_}, not {self.memory_mib}")


class StepTable(StepOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a flow. `entry` may be `EXECUTOR:ENTRY`."""

    name: str | None = None  # default: the entry's name
    optional: bool = False  # left out when this version of the executor has no such entry
    ahead: bool = False  # runs even if the build starts later, when its output is needed
    # conditions on the build's values; the step is left out unless all are true
    when: str | tuple[str, ...] = ()
    each: str | None = None  # an input that is a folder: the step runs once for each different folder in it

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.entry is None:
            raise ValueError('a step needs an entry, e.g. entry = "finn-step:step_tidy_up"')
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise ValueError(f"step name {self.name!r}: letters, digits, dot, dash and underscore only")
        _check_length("step name", self.name or "")


class Insertion(StepTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that a build adds to its flow, before or after another one."""

    before: str | None = None
    after: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.before is None) == (self.after is None):
            raise ValueError('an inserted step needs one place: before = "STEP" or after = "STEP"')


class Replacement(StepOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that replaces one of the flow, under the same name."""

    ahead: bool = False
    when: str | tuple[str, ...] = ()
    each: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.entry is None:
            raise ValueError('a replacement needs an entry, e.g. entry = "finn-step:custom"')


class FlowEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Edits of a flow's steps. Every place is one in the unedited flow."""

    insert: tuple[Insertion, ...] = ()  # several at one place keep their order
    remove: tuple[str, ...] = ()
    replace: dict[str, Replacement] = {}


class Loop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a build of a flow is repeated by [sweep] repeat: a result of each round is an input of the next."""

    summary: str
    result: str  # a file in the artifacts of a round
    into: str  # STEP.INPUT of the next round
    until: str  # a condition on the metrics of a round: the last one keeps it
    show: tuple[str, ...] = ()  # metrics of each round to print, by name or by the part before the dot
    hint: str = ""  # what a build lacks that has no step for `into`

    def __post_init__(self) -> None:
        if len(self.into.split(".")) != 2 or not all(self.into.split(".")):
            raise ValueError(f"into {self.into!r}: write STEP.INPUT, e.g. optimize_folding.cost_samples")
        if self.result.startswith("/") or ".." in self.result.split("/"):
            raise ValueError(f"result {self.result!r}: name a file in the artifacts of a build")


class Collection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `bskernel calibrate` builds of a network by a flow, and the file of each build that it joins."""

    result: str  # a file in the artifacts of each build: a JSON object of lists
    grid: dict[str, tuple[Any, ...]]  # as in [sweep.grid]
    without: tuple[str, ...] = ()  # SECTION.KEY of the build that these builds leave out


class Flow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named list of steps: its own, or another flow's with changes."""

    summary: str = ""
    step: tuple[StepTable, ...] = ()
    extends: str = ""  # a shipped flow, or a path that ends in .toml
    edit: FlowEdit = FlowEdit()
    versions: dict[str, tuple[str, ...]] = {}  # executor -> the versions that can run the flow; default: all
    loop: dict[str, Loop] = {}  # by what [sweep] repeat calls them
    collection: Collection | None = None  # not taken from the flow that it extends
    calibration: str = ""  # the flow whose collection `bskernel calibrate` builds for a build of this one

    def __post_init__(self) -> None:
        if bool(self.step) == bool(self.extends):
            raise ValueError("a flow has either [[step]] tables or `extends`")


class FlowSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of the flow to run, by steps or by stages of the model, and edits of its steps."""

    first: str | int | None = msgspec.field(default=None, name="from")
    last: str | int | None = msgspec.field(default=None, name="to")
    input_type: InputType | None = None
    output_type: OutputType | None = None
    edit: FlowEdit = FlowEdit()


class QualitySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the network is evaluated, at every stage that can execute it."""

    # an npz with `inputs` and optional `labels`, an npy, a folder with inputs.npy and labels.npy, or a folder of
    # images with one subfolder per class; default: a few random frames
    samples: str | None = None
    labels: str | None = None  # an npy, for samples without labels
    limit: int | None = None  # how many frames of the samples to use
    float_model: str | None = None  # the network before quantization: ONNX
    verify: Literal["stages", "steps", "off"] = "stages"  # where to compare a model with the one before
    frames: int | None = None  # how many frames to compare; without labels only these are executed
    rtol: float | None = None  # allowed difference relative to a frame's largest output
    atol: float | None = None
    allowed_mismatch: float | None = None  # fraction of frames
    on_mismatch: Literal["bounded", "fail", "warn"] | None = None
    top_k: int | None = None
    metric: str | None = None  # module:function(outputs, labels) -> float
    source: str | None = None  # the folder with its module

    def __post_init__(self) -> None:
        if self.allowed_mismatch is not None and not 0 <= self.allowed_mismatch <= 1:
            raise ValueError(f"allowed_mismatch is a fraction, from 0 to 1, not {self.allowed_mismatch}")
        for name in ("limit", "frames", "top_k"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be above 0, not {value}")


class ToolSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a tool is installed on this machine: the default, and further versions by number."""

    path: str | None = None
    versions: dict[str, str] = {}  # "2022.2" -> folder


class LimitsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much may run at once. Changes no result and no cache key."""

    jobs: int | None = None  # steps at once; default: the number of processors
    memory_mib: int | None = None  # the sum over running steps that have a memory_mib
    resources: dict[str, int] = {}  # a need of entries, e.g. "vivado" -> how many steps may use it at once

    def __post_init__(self) -> None:
        for name, value in (("jobs", self.jobs), ("memory_mib", self.memory_mib), *self.resources.items()):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be above 0, not {value}")
        for name in ("jobs", "memory_mib"):
            if name in self.resources:
                raise ValueError(f"resources: {name} is not a resource: write limits.{name} = ...")


class StoreSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store that machines share. Changes no result and no cache key."""

    shared: str | None = None  # a folder or an fsspec URL, e.g. s3://bucket/prefix; $BSKERNEL_STORE overrides it
    mode: StoreMode = "read-only"  # $BSKERNEL_STORE_MODE overrides it
    # options of the fsspec file system, e.g. endpoint_url; credentials belong in the environment
    options: dict[str, Any] = {}
    signed_by: tuple[str, ...] = ()  # public keys, PEM: with any, only results that one of them signed count
    sign_with: str | None = None  # the private key, PEM, that signs what is written


class RecipesSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recipes of executors that the project brings along."""

    path: tuple[str, ...] = ()  # folders with EXECUTOR/VERSION/image.toml in them, which come before all others


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One build.toml."""

    build: BuildSection
    target: TargetSection = TargetSection()
    quality: QualitySection = QualitySection()
    flow: FlowSection = FlowSection()
    limits: LimitsSection = LimitsSection()
    cluster: ClusterSection = ClusterSection()
    executors: dict[str, str] = {}  # executor -> version
    tools: dict[str, ToolSection] = {}  # e.g. vivado
    parameters: dict[str, dict[str, Any]] = {}  # executor -> parameters for all its steps
    step: (
        dict[str, StepOptions] | tuple[StepTable, ...]
    ) = {}  # changes to the flow's steps, or a list of steps instead of a flow
    store: StoreSection = StoreSection()
    recipes: RecipesSection = RecipesSection()
    sweep: SweepSection | None = None  # `bskernel run` ignores it
