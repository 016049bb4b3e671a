"""The types of build.toml."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from bskernel.config.cluster import ClusterSection
from bskernel.config.sweep import SweepSection
from bskernel.core.stages import InputType, OutputType

# What may be written to a shared store, and when: nothing; before a step is over; while the build goes on.
StoreMode = Literal["read-only", "write-through", "write-back"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class BuildSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is built: paths are relative to the file that names them."""

    model: str
    name: str = ""  # the model's file name without its suffix when empty
    flow: str = "estimate"
    backend: str | None = None  # a backend's name, or "auto"; when absent, [executors] or the defaults decide
    output: str | None = None  # build/NAME beside build.toml when absent
    salt: str = ""  # enters every action key: change it to build everything anew

    def __post_init__(self) -> None:
        if self.name and not _NAME.fullmatch(self.name):
            raise ValueError(f"name {self.name!r}: letters, digits, dot, dash and underscore only")
        if not self.model:
            raise ValueError("model is empty: name an ONNX file")


class TargetSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What it is built for: FPGA part or board, clock period (ns), wanted throughput (inferences/s)."""

    part: str | None = None
    board: str | None = None
    clock_ns: float = 5.0
    target_fps: int | None = None

    def __post_init__(self) -> None:
        if self.clock_ns <= 0:
            raise ValueError(f"clock_ns is a period in ns and must be above 0, not {self.clock_ns}")
        if self.target_fps is not None and self.target_fps <= 0:
            raise ValueError(f"target_fps must be above 0, not {self.target_fps}")


class StepOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a build changes about one step of its flow."""

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
        if self.memory_mib is not None and self.memory_mib <= 0:
            raise ValueError(f"memory_mib must be above 0, not {self.memory_mib}")


class StepTable(StepOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a flow. `entry` may be `EXECUTOR:ENTRY`."""

    name: str | None = None  # the entry's name when absent
    optional: bool = False  # left out where the executor's version has no such entry
    ahead: bool = False  # runs also in a build that begins after it, where a step takes what it makes
    # left out unless all of these hold of the build's values: "KEY" (is set), "KEY = VALUE", "KEY != VALUE"
    when: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.entry is None:
            raise ValueError('a step needs an entry, e.g. entry = "finn-step:step_tidy_up"')
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise ValueError(f"step name {self.name!r}: letters, digits, dot, dash and underscore only")


class Insertion(StepTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that a build adds to its flow, before or after one that is there."""

    before: str | None = None
    after: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.before is None) == (self.after is None):
            raise ValueError('an inserted step needs one place: before = "STEP" or after = "STEP"')


class Replacement(StepOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a build has done instead of a step of its flow, under that step's name."""

    ahead: bool = False
    when: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.entry is None:
            raise ValueError('a replacement needs an entry, e.g. entry = "finn-step:custom"')


class FlowEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a build's steps differ from those of its flow; every place is one of the flow as it was."""

    insert: tuple[Insertion, ...] = ()  # several at one place keep their order
    remove: tuple[str, ...] = ()
    replace: dict[str, Replacement] = {}


class Flow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named list of steps: its own, or another flow's with changes."""

    summary: str = ""
    step: tuple[StepTable, ...] = ()
    extends: str = ""  # a shipped flow, or a path that ends in .toml
    edit: FlowEdit = FlowEdit()
    versions: dict[str, tuple[str, ...]] = {}  # executor -> those of its versions that carry the flow out; else all

    def __post_init__(self) -> None:
        if bool(self.step) == bool(self.extends):
            raise ValueError("a flow has either steps of its own ([[step]]) or the flow that it extends")


class FlowSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of the flow is built: from and to a step, or a stage of the model; and changes to its steps."""

    first: str | int | None = msgspec.field(default=None, name="from")
    last: str | int | None = msgspec.field(default=None, name="to")
    input_type: InputType | None = None
    output_type: OutputType | None = None
    edit: FlowEdit = FlowEdit()


class QualitySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By what the network is judged, at every stage that can execute it."""

    # an npz with `inputs` and perhaps `labels`, an npy, a folder with inputs.npy and labels.npy, or a folder of
    # images, one subfolder for each class; without, few frames are drawn
    samples: str | None = None
    labels: str | None = None  # an npy, where the samples have none of their own
    limit: int | None = None  # frames taken of the samples
    float_model: str | None = None  # the network before quantization: ONNX
    verify: Literal["stages", "steps", "off"] = "stages"  # where two models must compute the same
    frames: int | None = None  # frames compared; without labels no others are executed
    rtol: float | None = None  # allowed difference, relative to a frame's largest output
    atol: float | None = None
    allowed_mismatch: float | None = None  # fraction of frames
    on_mismatch: Literal["fail", "warn"] | None = None
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
    """Where a tool is installed on this machine: the default, and other versions by their number."""

    path: str | None = None
    versions: dict[str, str] = {}  # "2022.2" -> folder


class LimitsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much may run at once. It changes no result, and no key."""

    jobs: int | None = None  # steps; as many as there are processors when absent
    memory_mib: int | None = None  # what steps with a memory_mib of their own may hold together
    resources: dict[str, int] = {}  # what entries need, such as "vivado" -> how many steps may have it at once

    def __post_init__(self) -> None:
        for name, value in (("jobs", self.jobs), ("memory_mib", self.memory_mib), *self.resources.items()):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be above 0, not {value}")
        for name in ("jobs", "memory_mib"):
            if name in self.resources:
                raise ValueError(f"resources: {name} is a limit of its own: write limits.{name} = ...")


class StoreSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store that other machines share. It changes no result, and no key."""

    shared: str | None = None  # a folder, or a URL of fsspec, such as s3://bucket/prefix; BSKERNEL_STORE comes first
    mode: StoreMode = "read-only"  # BSKERNEL_STORE_MODE comes first
    # of fsspec's file system, such as endpoint_url; credentials belong into the environment
    options: dict[str, Any] = {}


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One build.toml."""

    build: BuildSection
    target: TargetSection = TargetSection()
    quality: QualitySection = QualitySection()
    flow: FlowSection = FlowSection()
    limits: LimitsSection = LimitsSection()
    cluster: ClusterSection = ClusterSection()
    executors: dict[str, str] = {}  # executor -> version
    tools: dict[str, ToolSection] = {}  # such as vivado
    parameters: dict[str, dict[str, Any]] = {}  # executor -> parameters for all its steps
    step: dict[str, StepOptions] | tuple[StepTable, ...] = {}  # changes to the flow's steps, or the steps
    store: StoreSection = StoreSection()
    sweep: SweepSection | None = None  # `bskernel run` builds without it
