"""Take out what says where a model was exported, so that the same network has the same bytes wherever it is from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bskernel_executors.exchange.adaptation import Change

KIND = "metadata"
_REASON = "it says where and by which program the model was written, which is no part of the network"


def strip_metadata(model: Any) -> list[Change]:
    """Remove metadata properties and doc strings of the whole model, and names of the producer that hold paths."""
    keys: set[str] = set()
    texts = 0
    for holder in _holders(model):
        texts += bool(holder.doc_string)
        holder.ClearField("doc_string")
        if hasattr(holder, "metadata_props"):  # of nodes, values and tensors: since IR version 10
            keys |= {entry.key for entry in holder.metadata_props}
            holder.ClearField("metadata_props")
    families = sorted({_family(key) for key in keys})
    changes = [_removed(f"metadata {', '.join(families)}")] if keys else []
    if texts:
        changes.append(_removed(f"{texts} doc {'string' if texts == 1 else 'strings'}"))
    for field in ("producer_name", "producer_version", "domain"):
        if _is_path(getattr(model, field)):
            model.ClearField(field)
            changes.append(_removed(f"{field}, a path"))
    if _is_path(model.graph.name):
        model.graph.name = "graph"
        changes.append(Change(kind=KIND, names=(), before="a graph named by a path", after="graph", reason=_REASON))
    return changes


def _removed(what: str) -> Change:
    return Change(kind=KIND, names=(), before=what, after="removed", reason=_REASON)


def _family(key: str) -> str:
    """pkg.torch.* for pkg.torch.onnx.stack_trace: exporters write dozens of keys."""
    parts = key.split(".")
    return key if len(parts) <= 2 else f"{parts[0]}.{parts[1]}.*"


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text


def _holders(model: Any) -> Iterator[Any]:
    graph = model.graph
    yield model
    yield graph
    yield from (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield attribute
            if attribute.HasField("t"):
                yield attribute.t
