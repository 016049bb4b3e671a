"""A library's configuration held to what a step declares."""

import dataclasses
import enum
from typing import Any

import msgspec
import pytest
from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.guarded_config import make_guarded, parameters_struct, settable_fields


class Style(enum.Enum):
    AUTO = "auto"
    BLOCK = "block"


@dataclasses.dataclass
class Config:
    output_dir: str
    clock: float
    style: Style | None = Style.AUTO
    names: list[str] | None = None
    limit: int | None = 36
    verbose: bool = False

    def doubled(self) -> Any:
        return self.limit


SETTABLE = settable_fields(Config, {"output_dir", "verbose"})


def made(given: dict[str, Any], guarded: frozenset[str] = frozenset(SETTABLE)) -> Config:
    config: Config = make_guarded(
        Config, given, guarded, always={"output_dir": "out"}, what="the tool's configuration"
    )
    return config


def test_plain_fields_may_be_set_with_the_library_s_own_defaults() -> None:
    assert SETTABLE.keys() == {"clock", "style", "limit"}
    assert SETTABLE["style"][1] == "auto"
    struct = parameters_struct(
        "fold", {"clock", "style"}, SETTABLE, of="Config", default_from={"clock": "target.clock_ns"}
    )
    assert msgspec.convert({"clock": 5}, struct) == struct(clock=5.0, style="auto")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"clock": 5, "style": "none"}, struct)


def test_what_is_declared_is_read_as_the_library_has_it() -> None:
    config = made({"clock": 5.0, "style": "block", "limit": 3})
    assert (config.clock, config.style, config.doubled(), config.output_dir) == (5.0, Style.BLOCK, 3, "out")
    assert isinstance(config, Config)


@pytest.mark.parametrize(
    "read", [lambda config: config.limit, lambda config: config.doubled(), lambda config: config.clock]
)
def test_what_is_not_declared_cannot_be_read(read: Any) -> None:
    with pytest.raises(StepFailure, match="of the tool's configuration, which its entry does not declare") as caught:
        read(made({"style": None}))
    assert caught.value.failure.category == "executor"


def test_what_no_build_can_set_is_read_freely() -> None:
    assert made({"clock": 5.0}).verbose is False
    assert made({"clock": 5.0}).names is None
