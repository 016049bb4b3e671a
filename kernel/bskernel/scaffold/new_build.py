"""The build.toml of a network that somebody builds for the first time. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bskernel.scaffold.build_file import BuildFile, TomlLine, TomlTable, step_header
from bskernel.scaffold.network import DescribedNetwork, Obstacle
from bskernel.scaffold.summary import describe_obstacles, summarize_network

# The stages of a model with which a flow begins at another step than its first.
_LATER = {"finn": "finn", "hwgraph": "hwgraph", "estimates": "hwgraph"}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose; None where a default applies."""

    board: str | None = None
    part: str | None = None
    target_fps: int | None = None
    clock_ns: float | None = None


def make_build(
    network: DescribedNetwork, model: str, flow: str, target: Target, other_boards: Sequence[str]
) -> BuildFile:
    """The build of a model at a path that is relative to the file."""
    head = ("Written by bskernel init. Run it: bskernel run", "", *describe_network(network, model))
    build = TomlTable(
        header="[build]",
        lines=(
            TomlLine(key="model", value=model),
            TomlLine(
                key="flow", value=flow, comment="estimate, codegen, rtl, open, synth or bitstream (docs/flows.md)"
            ),
        ),
    )
    quality = TomlTable(
        header="[quality]",
        lines=(
            TomlLine(
                key="samples",
                value="test.npz",
                comment="inputs and labels: the report then shows the accuracy at each stage",
                active=False,
            ),
        ),
    )
    return BuildFile(
        head=head,
        tables=(
            build,
            *begin_later(network.stages),
            _target_table(target, other_boards),
            quality,
            *remedy_tables(network.problems),
        ),
    )


def describe_network(network: DescribedNetwork, model: str) -> list[str]:
    """The network and what stands in the way, as comments."""
    obstacles = describe_obstacles(network.problems)
    return [*summarize_network(network, model), *(["", *obstacles] if obstacles else [])]


def begin_later(stages: Sequence[str]) -> tuple[TomlTable, ...]:
    """[flow] for a model with which a build cannot begin at the flow's first step."""
    if not stages or not all(stage in _LATER for stage in stages):
        return ()
    stage = _LATER[stages[0]]
    line = TomlLine(key="input_type", value=stage, comment="the model is past the flow's first steps")
    return (TomlTable(header="[flow]", lines=(line,)),)


def _target_table(target: Target, other_boards: Sequence[str]) -> TomlTable:
    boards = f"others: {', '.join(other_boards)}" if other_boards else ""
    where = (
        TomlLine(key="part", value=target.part)
        if target.part is not None
        else TomlLine(key="board", value=target.board or "", comment=boards)
    )
    wanted = target.target_fps
    return TomlTable(
        header="[target]",
        lines=(
            where,
            TomlLine(key="clock_ns", value=target.clock_ns or 5.0, comment="5.0 is 200 MHz"),
            TomlLine(
                key="target_fps",
                value=wanted or 10_000,
                comment="inferences/s to reach"
                + ("" if wanted else "; without it each layer is as small as it can be"),
                active=wanted is not None,
            ),
        ),
    )


def remedy_tables(obstacles: Sequence[Obstacle]) -> tuple[TomlTable, ...]:
    """The parameters that may be a remedy, as comments: only the user knows whether they are true."""
    settings = [(obstacle, obstacle.setting) for obstacle in obstacles if obstacle.setting is not None]
    return tuple(
        TomlTable(
            header=step_header(setting.step, "parameters"),
            lines=(
                TomlLine(comment=obstacle.what),
                TomlLine(key=setting.name, value=setting.value, comment="an example: set what is true", active=False),
            ),
        )
        for obstacle, setting in settings
    )
