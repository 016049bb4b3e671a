"""How a build or a sweep runs."""

from __future__ import annotations

import msgspec

from bskernel.core.errors import ConfigError


class BuildOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `bskernel run` and `bskernel sweep` that change how steps run, never what they produce.

    Raises ConfigError if both `cluster` and `keep_s` are given.
    """

    runtime: str = "auto"  # docker, process or auto
    fresh: bool = False  # run every step, even if its result is cached
    keep_s: float | None = None  # sessions stay warm after the build, until they are idle for so many seconds
    cluster: str | None = None  # as for --cluster; None runs steps on this machine
    with_inputs: bool = False  # copy what the build is given into its directory
    images: dict[str, str] = {}  # which the build's lock pins: NAME@VERSION -> identifier

    def __post_init__(self) -> None:
        if self.cluster is not None and self.keep_s is not None:
            raise ConfigError(
                "--cluster and --keep-warm: give one of them", hint="the workers of a cluster keep their sessions"
            )
