"""Split a stitched design into its layers, and write the top module that joins their netlists. Pure.

A layer is a folder of its own: the sources and memories that it needs, and a module `bskernel_layer` around the layer
and its weight memory, with inputs tied off as in the design. Names of the layer are replaced by one that all layers
share, so equal layers are equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from bskernel_executors.exchange.design import Design

LAYER, SHARED_NAME = "bskernel_layer", "layer"
SOURCES = "sources.json"  # of a layer: its sources, in the order in which a tool must read them
_INSTANCE = re.compile(r"^\t(\w+) (?P<name>\w+) \(\n(?P<ports>.*?)\n\t\);\n", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^\t\t\.(\w+)\((.*?)\),?$", re.MULTILINE)
_WIRE = re.compile(r"^\twire \[(\d+):0\] (\w+)_tdata;$", re.MULTILINE)
_CONDITIONAL = re.compile(r"^`ifdef \w+,?\n.*?(?:^`else\n(?P<otherwise>.*?))?^`endif\n", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DEFINED = re.compile(r"^\s*(?:module|package|interface)\s+(?:automatic\s+)?(\w+)", re.MULTILINE)
_WORD = re.compile(r"\w+")


class LayerPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of a layer's module, and the signal of the top module that it is connected to."""

    name: str
    signal: str
    width: int
    is_input: bool


class LayerModule(msgspec.Struct, frozen=True, kw_only=True):
    """A layer of the top module: the text of its instances, what they instantiate, and what they are connected to."""

    name: str
    instances: str
    modules: tuple[str, ...]
    ports: tuple[LayerPort, ...]


def drop_conditional(top: str) -> str:
    """Leave out what only a simulation compiles."""
    return _CONDITIONAL.sub(lambda found: found["otherwise"] or "", top)


def find_layers(design: Design, top: str) -> tuple[LayerModule, ...]:
    """Find the layers of a top module that `finn-step:rtl-stitch` wrote, in the design's order."""
    text = drop_conditional(top)
    instances = {found["name"]: found for found in _INSTANCE.finditer(text)}
    widths = {name: int(high) + 1 for high, name in _WIRE.findall(text)}
    layers = []
    for name in design.layers:
        found = [instances[key] for key in (f"{name}_memory", f"{name}_i") if key in instances]
        layers.append(
            LayerModule(
                name=name,
                instances="".join(item.group() for item in found),
                modules=tuple(item[1] for item in found),
                ports=tuple(_ports(name, found[-1]["ports"], widths)),
            )
        )
    return tuple(layers)


def _ports(layer: str, connections: str, widths: Mapping[str, int]) -> Iterable[LayerPort]:
    """The stream ports of a layer's instance, without those of its weight memory."""
    for port, signal in _PORT.findall(connections):
        stream, _, part = signal.rpartition("_")
        if stream not in widths or stream == f"{layer}_weights":
            continue
        yield LayerPort(
            name=port,
            signal=signal,
            width=widths[stream] if part == "tdata" else 1,
            is_input=port.startswith("in") != (part == "tready"),
        )


def _wrap(layer: LayerModule, widths: Mapping[str, int]) -> str:
    """Write the module around a layer's instances; what leaves it under no port is left open."""
    text = layer.instances
    for port in layer.ports:
        text = text.replace(f"({port.signal})", f"({port.name})")
    # A FIFO counts what it holds, for simulations alone.
    text = re.sub(rf"\({layer.name}_(?:max)?count\)", "()", text)
    weights = f"{layer.name}_weights"
    wires = ""
    if weights in widths:
        wires = f"\twire [{widths[weights] - 1}:0] {weights}_tdata;\n\twire {weights}_tvalid, {weights}_tready;\n"
    ports = ",\n".join(
        f"\t{'input' if port.is_input else 'output'} wire [{port.width - 1}:0] {port.name}" for port in layer.ports
    )
    return f"module {LAYER} (\n\tinput wire ap_clk,\n\tinput wire ap_rst_n,\n{ports}\n);\n{wires}{text}endmodule\n"


def partition(design: Design, files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """Return the folder of each layer, as path -> bytes. `files` are those of the stitched design."""
    top = files["top.sv"].decode()
    widths = {name: int(high) + 1 for high, name in _WIRE.findall(top)}
    sources = {name: _COMMENT.sub("", files[name].decode()) for name in design.sources if name != "top.sv"}
    defined = {word: name for name, text in sources.items() for word in _DEFINED.findall(text)}
    words = {name: set(_WORD.findall(text)) for name, text in sources.items()}
    folders = {}
    for layer in find_layers(design, top):
        needed: set[str] = set()
        waiting = {defined[module] for module in layer.modules if module in defined}
        while waiting:
            source = waiting.pop()
            needed.add(source)
            waiting |= {defined[word] for word in words[source] & defined.keys()} - needed
        own = {path for path in files if path.startswith(f"mem/{layer.name}_")}
        rename = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(layer.name)}(?![A-Za-z0-9])")
        order = [rename.sub(SHARED_NAME, name) for name in design.sources if name in needed]
        folder = {f"{LAYER}.sv": rename.sub(SHARED_NAME, _wrap(layer, widths)).encode()}
        for path in needed:
            folder[rename.sub(SHARED_NAME, path)] = rename.sub(SHARED_NAME, files[path].decode()).encode()
        folder |= {rename.sub(SHARED_NAME, path): files[path] for path in own}
        folder[SOURCES] = msgspec.json.encode([*order, f"{LAYER}.sv"]) + b"\n"
        folders[layer.name] = folder
    return folders


def join_netlists(design: Design, top: str, netlists: Mapping[str, str]) -> str:
    """Write the netlist of a design from those of its layers; layers with equal netlists share one module."""
    text, names = drop_conditional(top), {}
    modules = []
    for layer in find_layers(design, top):
        netlist = netlists[layer.name]
        if netlist not in names:
            names[netlist] = f"{layer.name}_netlist"
            modules.append(re.sub(rf"\b{LAYER}\b", names[netlist], netlist))
        ports = {"ap_clk": "ap_clk", "ap_rst_n": "ap_rst_n"} | {port.name: port.signal for port in layer.ports}
        connected = ",\n".join(f"\t\t.{port}({signal})" for port, signal in ports.items())
        text = text.replace(layer.instances, f"\t{names[netlist]} {layer.name}_i (\n{connected}\n\t);\n")
    return "".join(modules) + text
