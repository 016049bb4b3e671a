"""How a second build's surroundings differ from the usual ones. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias, get_args

import msgspec

Varied: TypeAlias = Literal["path", "user", "time", "locale", "cpus", "hash-seed", "umask"]
VARIED: tuple[str, ...] = get_args(Varied)
OTHER_USER = 64_321  # hardly anybody's; mapped to the real one by a user namespace


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The surroundings of a process: variables, user, processors, umask, and a folder below which it works."""

    variables: dict[str, str] = {}
    prefix: tuple[str, ...] = ()  # a command that runs another one
    processors: int | None = None  # at most so many; None for all
    umask: int | None = None
    folder: str = "second"


def vary(names: Collection[str], home: str, environment: Mapping[str, str]) -> Surroundings:
    """Surroundings that differ in what is named. `home` is a folder for another user; `environment` is the usual one.

    Times differ by themselves: the second build is a later one. What can be varied besides is the time zone.
    """
    variables: dict[str, str] = {}
    if "time" in names:
        variables["TZ"] = "Pacific/Kiritimati" if environment.get("TZ") != "Pacific/Kiritimati" else "Asia/Kathmandu"
    if "locale" in names:
        variables |= {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr"}
    if "hash-seed" in names:
        variables["PYTHONHASHSEED"] = "4711" if environment.get("PYTHONHASHSEED") != "4711" else "1147"
    prefix: tuple[str, ...] = ()
    if "user" in names:
        variables |= {"HOME": home, "USER": "somebody", "LOGNAME": "somebody"}
        prefix = ("unshare", "--user", f"--map-user={OTHER_USER}", f"--map-group={OTHER_USER}", "--")
    return Surroundings(
        variables=variables,
        prefix=prefix,
        processors=1 if "cpus" in names else None,
        umask=0o077 if "umask" in names else None,
        folder="a second, other place/of another length" if "path" in names else "second",
    )
