"""Parameters of an entry: a frozen struct that is described in the catalogue and decoded strictly."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from bskernel_protocol import ParameterDescription

from bskernel_executors.sdk.step import StepFailure

ParametersT = TypeVar("ParametersT", bound=msgspec.Struct)


class NoParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of an entry that takes none."""


def parameter(help: str, *, unit: str | None = None, default_from: str | None = None) -> msgspec.Meta:  # noqa: A002 - reads as a declaration
    """Describe a field of an entry's parameters, as metadata of its type.

    `help` is shown by `bskernel steps`. `unit` is the unit of a number, e.g. "ns", "MHz" or "count". `default_from`
    is the key of the build that fills the parameter if the build does not set it, e.g. "target.clock_ns"; if that key
    is not set either, the field's default applies. A field without a default is required.

        >>> from typing import Annotated
        >>> import msgspec
        >>> from bskernel_executors.sdk import parameter
        >>> class Folding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        ...     pe: Annotated[int, msgspec.Meta(ge=1), parameter("output channels at once", unit="count")]
        ...     clock_ns: Annotated[float, parameter("clock", unit="ns", default_from="target.clock_ns")] = 5.0
        >>> msgspec.convert({"pe": 4}, Folding)
        Folding(pe=4, clock_ns=5.0)
    """
    extra: dict[str, Any] = {}
    if unit is not None:
        extra["unit"] = unit
    if default_from is not None:
        extra["default_from"] = default_from
    return msgspec.Meta(description=help, extra=extra)


def describe_parameters(struct: type[msgspec.Struct]) -> tuple[ParameterDescription, ...]:
    """Describe the fields of a struct for the catalogue. Raises TypeError for a field without `parameter`."""
    described = []
    schemas = _schemas(struct)
    for field in msgspec.inspect.type_info(struct).fields:  # type: ignore[attr-defined]
        meta = field.type
        if not isinstance(meta, msgspec.inspect.Metadata) or "description" not in (meta.extra_json_schema or {}):
            raise TypeError(f"{struct.__name__}.{field.name} needs the type Annotated[..., parameter(...)]")
        extra = meta.extra or {}
        default = None if field.required else _default(field)
        described.append(
            ParameterDescription(
                name=field.name,
                help=(meta.extra_json_schema or {})["description"],
                schema=schemas[field.name],
                required=field.required,
                default=msgspec.to_builtins(default),
                unit=extra.get("unit"),
                default_from=extra.get("default_from"),
            )
        )
    return tuple(described)


def _default(field: Any) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _schemas(struct: type[msgspec.Struct]) -> dict[str, dict[str, Any]]:
    """The JSON Schema of each field, with the definitions that it refers to."""
    (_, components) = msgspec.json.schema_components((struct,), ref_template="#/$defs/{name}")
    others = {key: value for key, value in components.items() if key != struct.__name__}
    shown = {"$defs": others} if others else {}
    return {
        name: {key: value for key, value in schema.items() if key not in {"description", "default"}} | shown
        for name, schema in components[struct.__name__]["properties"].items()
    }


def decode_parameters(struct: type[ParametersT], values: dict[str, Any], entry: str) -> ParametersT:
    """Convert parameters to the entry's type. Raises StepFailure (config) with the reason and the parameter names."""
    try:
        return msgspec.convert(values, struct)
    except msgspec.ValidationError as error:
        names = ", ".join(field.name for field in msgspec.structs.fields(struct)) or "none"
        raise StepFailure(
            category="config",
            message=f"parameters of {entry}: {error}",
            hint=f"{entry} takes these parameters: {names}",
        ) from error
