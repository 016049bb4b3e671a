"""Parameters of an entry: a frozen struct, described as data for the catalogue and decoded strictly."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from bskernel_protocol import ParameterDescription

from bskernel_executors.sdk.step import StepFailure

ParametersT = TypeVar("ParametersT", bound=msgspec.Struct)


class NoParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For entries that take none."""


def parameter(help: str, *, unit: str | None = None, default_from: str | None = None) -> msgspec.Meta:  # noqa: A002 - reads as a declaration
    """Annotate a field: `Annotated[float, parameter("clock period", unit="ns", default_from="target.clock_ns")]`.

    `default_from` names the key of the build that fills the parameter when the build gives none.
    """
    extra: dict[str, Any] = {}
    if unit is not None:
        extra["unit"] = unit
    if default_from is not None:
        extra["default_from"] = default_from
    return msgspec.Meta(description=help, extra=extra)


def describe_parameters(struct: type[msgspec.Struct]) -> tuple[ParameterDescription, ...]:
    """The fields of a struct as the catalogue shows them. Raises TypeError for a field without `parameter`."""
    described = []
    schemas = _schemas(struct)
    for field in msgspec.inspect.type_info(struct).fields:  # type: ignore[attr-defined]
        meta = field.type
        if not isinstance(meta, msgspec.inspect.Metadata) or "description" not in (meta.extra_json_schema or {}):
            raise TypeError(f"{struct.__name__}.{field.name} has no Annotated[..., parameter(...)]")
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
    """By field; each holds what it refers to."""
    (_, components) = msgspec.json.schema_components((struct,), ref_template="#/$defs/{name}")
    others = {key: value for key, value in components.items() if key != struct.__name__}
    shown = {"$defs": others} if others else {}
    return {
        name: {key: value for key, value in schema.items() if key not in {"description", "default"}} | shown
        for name, schema in components[struct.__name__]["properties"].items()
    }


def decode_parameters(struct: type[ParametersT], values: dict[str, Any], entry: str) -> ParametersT:
    """Parameters as the entry's own type. Raises StepFailure (config) naming what is wrong and the choices."""
    try:
        return msgspec.convert(values, struct)
    except msgspec.ValidationError as error:
        names = ", ".join(field.name for field in msgspec.structs.fields(struct)) or "none"
        raise StepFailure(
            category="config",
            message=f"parameters of {entry}: {error}",
            hint=f"{entry} takes these parameters: {names}",
        ) from error
