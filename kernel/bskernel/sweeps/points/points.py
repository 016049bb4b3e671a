"""From [sweep] to what each of its points sets. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from bskernel_protocol import canonical_bytes, digest_of_bytes

from bskernel.config import Span, SweepSection, Values
from bskernel.config.assignments import ConfigText
from bskernel.config.decoder import convert
from bskernel.core.errors import BskernelError, ConfigError
from bskernel.sweeps.analysis.table import settings_text
from bskernel.sweeps.points.keys import Keys
from bskernel.sweeps.points.point_filter import holds, parse_conditions
from bskernel.sweeps.points.ranges import size, values

Settings = dict[str, Any]  # dotted key -> value
_SHORTEST = 12  # digits of a name: among 10,000 points two are alike once in six million sweeps


class _Sweep(msgspec.Struct, frozen=True):
    """So that messages name the table."""

    sweep: SweepSection


def read_section(text: ConfigText) -> SweepSection:
    """The [sweep] of a build.toml. Raises ConfigError, which names the key that is wrong."""
    data = text.data.get("sweep")
    if data is None:
        raise ConfigError(f"{text.path}: there is no [sweep] table", hint="`bskernel run` builds it as it is")
    for part in ("grid", "zip"):
        inner = data.get(part, {}) if isinstance(data, dict) else {}
        for key, raw in inner.items() if isinstance(inner, dict) else ():
            where = f'{text.path}: sweep.{part}."{key}"'
            _refuse_unquoted(part, key, raw, where)
            convert({key: raw}, dict[str, Values], where)
    return convert({"sweep": data}, _Sweep, text.path).sweep


def _refuse_unquoted(part: str, key: str, raw: Any, where: str) -> None:
    span = {"from", "to", "step", "count", "log"}
    if isinstance(raw, dict) and not raw.keys() & span:
        below = next(iter(raw), "KEY")
        raise ConfigError(
            f"{where}: neither a list of values nor a range",
            hint=f'a path is one key, in quotes: [sweep.{part}] "{key}.{below}" = [...]',
        )
    if not isinstance(raw, dict | list):
        raise ConfigError(f"{where}: not a list of values", hint="[1, 2], or { from = 1, to = 2, count = 2 }")


class Points:
    """What the points of a sweep set; every key and every single value of it is checked when it is made."""

    def __init__(self, section: SweepSection, keys: Keys) -> None:
        """Raises ConfigError: an unknown key, a value of the wrong type, no condition, too many points or none."""
        self.section = section
        self._keys = keys
        self._where = f"{keys.text.path}: sweep"
        self._when = parse_conditions(section.when, keys.check, f"{self._where}.when")
        self._check_number()
        self._grid = {key: self._list("grid", key, given) for key, given in section.grid.items()}
        self._zip = {key: self._list("zip", key, given) for key, given in section.zip.items()}
        own = tuple(
            {key: self.checked(key, value, f'{self._where}.point[{at}]."{key}"') for key, value in point.items()}
            for at, point in enumerate(section.point)
        )
        for at, point in enumerate(own):
            self._refuse_overlap(point, f"{self._where}.point[{at}]")
        self._refuse_overlap({**section.grid, **section.zip}, self._where)
        self._own = own

    def checked(self, key: str, value: Any, where: str) -> Any:
        """A value of a key as the configuration has it. Raises ConfigError."""
        self._keys.check(key, where)
        return self._keys.value(key, value, where)

    def keeps(self, settings: Mapping[str, Any]) -> bool:
        """Do all conditions of [sweep] when hold of a point? Raises ConfigError where it cannot be said."""

        def value_of(key: str) -> Any:
            return settings[key] if key in settings else self._keys.of_build(key)

        try:
            return all(holds(condition, value_of, f"{self._where}.when") for condition in self._when)
        except ConfigError as error:
            raise of_point(error, settings) from error

    def all(self) -> tuple[Settings, ...]:
        """Each once, in order: the grid's, its last key changing fastest, then those of [[sweep.point]].

        Of a search (`section.search`) the latter alone: the others are its to choose. Raises ConfigError where `when`
        leaves none.
        """
        combined = () if self.section.search is not None else self._combined()
        found: dict[bytes, Settings] = {}
        number = 0
        for settings in itertools.chain(combined, self._own):
            number += 1
            if self.keeps(settings):
                found.setdefault(canonical_bytes(settings), settings)
        if number and not found and self.section.search is None:
            raise ConfigError(f"{self._where}.when: it holds of none of {number} points")
        return tuple(found.values())

    def _combined(self) -> Iterator[Settings]:
        if not (self._grid or self._zip):
            return
        together: Iterable[tuple[Any, ...]] = zip(*self._zip.values(), strict=True) if self._zip else [()]
        rows = [dict(zip(self._zip, row, strict=True)) for row in together]
        for values_of_grid in itertools.product(*self._grid.values()):
            for row in rows:
                yield {**dict(zip(self._grid, values_of_grid, strict=True)), **row}

    def _check_number(self) -> None:
        """Before a list is made of anything: how many points there will be."""
        section = self.section
        grid = {key: self._size("grid", key, given) for key, given in section.grid.items()}
        zipped = {key: self._size("zip", key, given) for key, given in section.zip.items()}
        if len(set(zipped.values())) > 1:
            told = ", ".join(f"{key} has {number}" for key, number in zipped.items())
            raise ConfigError(f"{self._where}.zip: its keys have unequal numbers of values: {told}")
        combined = math.prod([*grid.values(), *list(zipped.values())[:1]]) if grid or zipped else 0
        if section.search is not None:
            # Each list is made, but not every combination.
            combined = max(section.search.trials, *grid.values(), *zipped.values())
        number = combined + len(section.point)
        if not number:
            raise ConfigError(f"{self._where}: there is no point", hint="give a grid, a zip or a [[sweep.point]]")
        if number > section.max_points:
            raise ConfigError(
                f"{self._where}: it has {number} points, and [sweep] max_points is {section.max_points}",
                hint=f"take fewer values, or set max_points = {number}; what `when` leaves out counts too",
            )

    def _size(self, part: str, key: str, given: Values) -> int:
        where = f'{self._where}.{part}."{key}"'
        number = len(self._ends(part, given)) or (size(given, where) if isinstance(given, Span) else len(given))
        if not number:
            raise ConfigError(f"{where}: there is no value")
        return number

    def _list(self, part: str, key: str, given: Values) -> tuple[Any, ...]:
        where = f'{self._where}.{part}."{key}"'
        found = self._ends(part, given) or (values(given, where) if isinstance(given, Span) else given)
        return tuple(self.checked(key, value, where) for value in found)

    def _ends(self, part: str, given: Values) -> tuple[Any, ...]:
        """Of a range of which a search may take any number, the ends: they are what can be checked."""
        if part == "zip" or self.section.search is None or not isinstance(given, Span):
            return ()
        return (given.start, given.end) if given.step is None and given.count is None else ()

    def _refuse_overlap(self, settings: Mapping[str, Any], where: str) -> None:
        for key in settings:
            above = next((other for other in settings if key.startswith(f"{other}.")), None)
            if above is not None:
                raise ConfigError(f"{where}: {key} lies in {above}, which is set too", hint="set one of them")


def of_point(error: BskernelError, settings: Mapping[str, Any]) -> BskernelError:
    """The error, which says of which point it is."""
    told = f" (the point with {settings_text(settings)})" if settings else ""
    return type(error)(f"{error.message}{told}", hint=error.hint)


class PointNames:
    """Names of points: their settings' digest, as short as it may be among all that were named."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}  # name -> digest

    def of(self, settings: Settings) -> str:
        """The name of a point: 12 hexadecimal digits, more where another point has them already."""
        digest = digest_of_bytes(canonical_bytes(settings)).sha256
        length = _SHORTEST
        while self._digests.setdefault(digest[:length], digest) != digest:
            length += 4
        return digest[:length]
