"""The keys of build.toml that points may set; checks each key and each value. Pure."""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

import msgspec
from bskernel_protocol import ProtocolError, canonical_bytes

from bskernel.config import Config
from bskernel.config.assignments import ConfigText, with_key
from bskernel.config.decoder import convert
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices

# Keys that a point cannot set, and why.
_CLOSED = {
    "sweep": "a sweep cannot change itself",
    "limits": "limits apply to the sweep as a whole",
    "store": "the whole sweep uses one store",
    "cluster": "the whole sweep uses one cluster",
    "recipes": "the whole sweep knows the same executors",
    "build.name": "the sweep names its points",
    "build.output": "the sweep chooses the folders of its points",
}


class Keys:
    """The keys of one build.toml."""

    def __init__(self, text: ConfigText) -> None:
        """`text` holds the part of [sweep] that points see. Raises ConfigError for an invalid configuration."""
        self.text = text
        self.config = convert(text.data, Config, text.path)
        self._plain: dict[str, Any] = msgspec.to_builtins(self.config)
        self._sections = {field.encode_name: field.type for field in msgspec.structs.fields(Config)}
        self._checked: dict[tuple[str, bytes], Any] = {}

    def check(self, key: str, where: str) -> None:
        """Raise ConfigError with the choices unless a point may set the key."""
        for closed, why in _CLOSED.items():
            if key == closed or key.startswith(f"{closed}."):
                raise ConfigError(f"{where}: a point cannot set {closed}: {why}")
        type_: Any = Config
        above = ""
        for part in key.split("."):
            type_ = _inner(type_, part, f"{where}: ", above)
            above = f"{above}.{part}" if above else part
        if _is_table(type_):
            raise ConfigError(
                f"{where}: {key} is a table", hint=f'give the full path of one of its keys, in quotes: "{key}.KEY"'
            )

    def value(self, key: str, value: Any, where: str) -> Any:
        """The value as the configuration holds it, e.g. 5.0 for a clock of 5. Raises ConfigError.

        What parameters may be is not known here but in the catalogues of executors.
        """
        try:
            known = (key, canonical_bytes(value))
        except ProtocolError as error:
            raise ConfigError(f"{where} = {value!r}: {error}") from error
        if msgspec.to_builtins(value) != value:
            raise ConfigError(f"{where} = {value}: dates and times are not valid values", hint="write a string")
        if known not in self._checked:
            self._checked[known] = self._value(key, value, f"{where} = {value!r}")
        return self._checked[known]

    def _value(self, key: str, value: Any, where: str) -> Any:
        section, *parts = key.split(".")
        data = with_key(self.text.data, [section, *parts], value, where)[section]
        found = msgspec.to_builtins(convert(data, self._sections[section], where))
        for part in parts:
            found = found[part]
        return found

    def of_build(self, key: str) -> Any:
        """The value of a key that no point sets; None if it has none."""
        found: Any = self._plain
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def data_of(self, settings: Mapping[str, Any]) -> ConfigText:
        """The build.toml of a point. Raises ConfigError for keys that exclude each other."""
        data, given = self.text.data, self.text.given
        for key, value in settings.items():
            parts = tuple(key.split("."))
            data = with_key(data, parts, value, f"{self.text.path}: {key}")
            # What the file sets in a point, the user did not.
            given = frozenset(one for one in given if one[: len(parts)] != parts[: len(one)])
        return msgspec.structs.replace(self.text, data=data, given=given)


def _options(type_: Any) -> list[Any]:
    """The types that a value may have: the members of a union, or the type itself."""
    return list(get_args(type_)) if get_origin(type_) in {Union, types.UnionType} else [type_]


@functools.cache
def _fields_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The keys of a table, with their types."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(struct)}


def _inner(type_: Any, part: str, where: str, above: str) -> Any:
    """The type of a key in a table of that type."""
    for option in _options(type_):
        if option is Any:
            return Any
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            fields = _fields_of(option)
            if part in fields:
                return fields[part]
            shut = [key for key in fields if (f"{above}.{key}" if above else key) in _CLOSED]
            open_ = [key for key in fields if key not in shut]
            place = f"[{above}]" if above else "a build.toml"
            raise ConfigError(f"{where}unknown key {part!r} in {place}", hint=choices(part, open_, "keys"))
        if get_origin(option) is dict and part:
            return get_args(option)[1]
    raise ConfigError(f"{where}{above!r} is not a table")


def _is_table(type_: Any) -> bool:
    return any(
        get_origin(option) is dict or (isinstance(option, type) and issubclass(option, msgspec.Struct))
        for option in _options(type_)
    )
