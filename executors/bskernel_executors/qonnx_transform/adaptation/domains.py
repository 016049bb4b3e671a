"""Domains of operators: names of older releases, imports that the model lacks, and the version of Trunc."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change, group_changes

KIND = "domains"
QONNX = "qonnx.custom_op.general"
# Brevitas exported quantizers under its own domain, and qonnx was a part of FINN once.
_OLD = {"onnx.brevitas": QONNX, "finn.custom_op.general": QONNX, "finn": QONNX, "ai.onnx": ""}
_OF_QONNX = frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc", "FloatQuant", "DebugMarker"})
_OLD_TRUNC_INPUTS = 5  # in version 1 of qonnx's domain; version 2 added the scale of the output


def mend_domains(model: Any) -> list[Change]:
    """Rename old domains, import what nodes use, and let qonnx's version be the one that Trunc is written in."""
    return [*_rename(model), *_import(model), *_fit_trunc(model)]


def find_domain(node: Any) -> str:
    """Return the domain that a node has today. Quantizers are qonnx's, whatever domain an exporter gave them."""
    return QONNX if node.op_type in _OF_QONNX else _OLD.get(node.domain, node.domain)


def _rename(model: Any) -> list[Change]:
    found: dict[tuple[str, str], list[str]] = {}
    for node in model.graph.node:
        domain = find_domain(node)
        if domain != node.domain:
            found.setdefault((node.domain, domain), []).append(node.name)
            node.domain = domain
    versions = {entry.domain: entry.version for entry in model.opset_import}
    wanted = dict(found.keys()) | {"ai.onnx": ""}
    for old, new in wanted.items():
        if old and old in versions and new not in versions:
            versions[new] = versions[old]
            model.opset_import.add(domain=new, version=versions[old])
    for entry in [entry for entry in model.opset_import if entry.domain in _OLD]:
        model.opset_import.remove(entry)
    named = {
        (
            f"domain {old or 'of ONNX itself'}",
            f"domain {new or 'of ONNX itself, written as the empty name'}",
        ): names
        for (old, new), names in found.items()
    }
    reason = "the operators are the same, but qonnx and FINN know them by the newer name alone"
    return group_changes(KIND, named, reason)


def _import(model: Any) -> list[Change]:
    changes = []
    imported = {entry.domain for entry in model.opset_import}
    for domain in dict.fromkeys(node.domain for node in model.graph.node):
        if domain and domain not in imported:
            model.opset_import.add(domain=domain, version=1)
            changes.append(
                Change(
                    kind=KIND,
                    names=tuple(node.name for node in model.graph.node if node.domain == domain),
                    before=f"no import of the domain {domain}",
                    after="imported in version 1",
                    reason="a model must state the version of the operators that it uses",
                )
            )
    return changes


def _fit_trunc(model: Any) -> list[Change]:
    nodes = [node for node in model.graph.node if node.op_type == "Trunc" and node.domain == QONNX]
    versions = {1 if len(node.input) <= _OLD_TRUNC_INPUTS else 2 for node in nodes}
    entry = next((entry for entry in model.opset_import if entry.domain == QONNX), None)
    if len(versions) != 1 or entry is None or entry.version in versions:
        return []
    before, (entry.version,) = entry.version, versions
    return [
        Change(
            kind=KIND,
            names=tuple(node.name for node in nodes),
            before=f"{QONNX} in version {before}",
            after=f"version {entry.version}",
            reason=f"Trunc with {len(nodes[0].input)} inputs is defined in this version",
        )
    ]
