"""Expands [sweep] to its points. Pure."""

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
_SHORTEST = 12  # digits of a name: 10,000 points collide once in six million sweeps


class _Sweep(msgspec.Struct, frozen=True):
    """Decoded as a whole, so that messages name the table."""

    sweep: SweepSection


def read_section(text: ConfigText) -> SweepSection:
    """The [sweep] of a build.toml. Raises ConfigError that names the wrong key."""
    data = text.data.get("sweep")
    if data is None:
        raise ConfigError(
            f"{text.path}: the [sweep] table is missing", hint="`bskernel run` builds the file as it is"
        )
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
    """The points of a sweep. The constructor checks every key and every value."""

    def __init__(self, section: SweepSection, keys: Keys) -> None:
        """Raises ConfigError: unknown key, value of the wrong type, invalid condition, too many points or none."""
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
        """The value as the configuration holds it. Raises ConfigError."""
        self._keys.check(key, where)
        return self._keys.value(key, value, where)

    def keeps(self, settings: Mapping[str, Any]) -> bool:
        """True when all conditions in `when` hold for a point. Raises ConfigError if one cannot be evaluated."""

        def value_of(key: str) -> Any:
            return settings[key] if key in settings else self._keys.of_build(key)

        try:
            return all(holds(condition, value_of, f"{self._where}.when") for condition in self._when)
        except ConfigError as error:
            raise of_point(error, settings) from error

    def all(self) -> tuple[Settings, ...]:
        """All points without duplicates: those of the grid, with its last key changing fastest, then [[sweep.point]].

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
            raise ConfigError(f"{self._where}.when excludes all {number} points")
        return tuple(found.values())

    def _combined(self) -> Iterator[Settings]:
        if not (self._grid or self._zip):
            if self.section.repeat is not None and not self.section.point:
                yield {}  # the file as it is
            return
        together: Iterable[tuple[Any, ...]] = zip(*self._zip.values(), strict=True) if self._zip else [()]
        rows = [dict(zip(self._zip, row, strict=True)) for row in together]
        for values_of_grid in itertools.product(*self._grid.values()):
            for row in rows:
                yield {**dict(zip(self._grid, values_of_grid, strict=True)), **row}

    def _check_number(self) -> None:
        """Check the number of points before any list is built."""
        section = self.section
        grid = {key: self._size("grid", key, given) for key, given in section.grid.items()}
        zipped = {key: self._size("zip", key, given) for key, given in section.zip.items()}
        if len(set(zipped.values())) > 1:
            sizes = ", ".join(f"{key} has {number}" for key, number in zipped.items())
            raise ConfigError(f"{self._where}.zip: the keys have different numbers of values: {sizes}")
        combined = math.prod([*grid.values(), *list(zipped.values())[:1]]) if grid or zipped else 0
        if section.search is not None:
            # Builds each list, but not every combination.
            combined = max(section.search.trials, *grid.values(), *zipped.values())
        number = combined + len(section.point)
        if not number and section.repeat is None:
            raise ConfigError(f"{self._where}: no points", hint="give a grid, a zip or a [[sweep.point]]")
        if number > section.max_points:
            raise ConfigError(
                f"{self._where}: {number} points exceed [sweep] max_points = {section.max_points}",
                hint=f"use fewer values, or set max_points = {number}; points that `when` excludes count too",
            )

    def _size(self, part: str, key: str, given: Values) -> int:
        where = f'{self._where}.{part}."{key}"'
        number = len(self._ends(part, given)) or (size(given, where) if isinstance(given, Span) else len(given))
        if not number:
            raise ConfigError(f"{where}: no values")
        return number

    def _list(self, part: str, key: str, given: Values) -> tuple[Any, ...]:
        where = f'{self._where}.{part}."{key}"'
        found = self._ends(part, given) or (values(given, where) if isinstance(given, Span) else given)
        return tuple(self.checked(key, value, where) for value in found)

    def _ends(self, part: str, given: Values) -> tuple[Any, ...]:
        """The ends of a range in which a search may take any number: only they can be checked."""
        if part == "zip" or self.section.search is None or not isinstance(given, Span):
            return ()
        return (given.start, given.end) if given.step is None and given.count is None else ()

    def _refuse_overlap(self, settings: Mapping[str, Any], where: str) -> None:
        for key in settings:
            above = next((other for other in settings if key.startswith(f"{other}.")), None)
            if above is not None:
                raise ConfigError(f"{where}: {key} is inside {above}, which is also set", hint="set only one of them")


def of_point(error: BskernelError, settings: Mapping[str, Any]) -> BskernelError:
    """The error with the point it belongs to."""
    text = f" (the point with {settings_text(settings)})" if settings else ""
    return type(error)(f"{error.message}{text}", hint=error.hint)


class PointNames:
    """Names of points: the digest of their settings, as short as possible among the named points."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}  # name -> digest

    def of(self, settings: Settings) -> str:
        """The name of a point: 12 hexadecimal digits, or more if another point has these already."""
        digest = digest_of_bytes(canonical_bytes(settings)).sha256
        length = _SHORTEST
        while self._digests.setdefault(digest[:length], digest) != digest:
            length += 4
        return digest[:length]
