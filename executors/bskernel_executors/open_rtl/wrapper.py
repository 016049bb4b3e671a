"""Write the Verilog module of one layer: the ports that FINN expects around a module of the library. Pure."""

from __future__ import annotations

from dataclasses import dataclass

Value = int | str | tuple[int, ...]  # of a parameter; a tuple is packed, its first number in the lowest bits


@dataclass(frozen=True, kw_only=True)
class StreamPort:
    """An AXI stream of a layer. Values lie in the lowest bits; TDATA is padded to whole bytes."""

    name: str  # in0, out1
    bits: int  # that carry values

    @property
    def width(self) -> int:
        """Bits of TDATA."""
        return -(-self.bits // 8) * 8

    @property
    def is_input(self) -> bool:
        """Whether the layer takes this stream."""
        return self.name.startswith("in")


@dataclass(frozen=True, kw_only=True)
class HdlInstance:
    """A module of the library in a layer. Its ports are connected to expressions over the streams' signals."""

    module: str
    name: str
    parameters: dict[str, Value]
    ports: dict[str, str]
    is_clocked: bool = True


def _write_value(value: Value) -> str:
    if isinstance(value, tuple):
        return "{" + ", ".join(f"32'd{number}" for number in reversed(value)) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def write_instance(instance: HdlInstance) -> str:
    """Write an instance; a clocked one has the ports clk and rst_n."""
    clocks = {"clk": "ap_clk", "rst_n": "ap_rst_n"} if instance.is_clocked else {}
    parameters = ",\n".join(f"\t\t.{name}({_write_value(value)})" for name, value in instance.parameters.items())
    ports = ",\n".join(f"\t\t.{name}({signal})" for name, signal in (clocks | instance.ports).items())
    return f"\t{instance.module} #(\n{parameters}\n\t) {instance.name} (\n{ports}\n\t);\n"


def write_core(module: str, parameters: dict[str, Value], ports: dict[str, str]) -> str:
    """Write the instance of the module that does a layer's work; it is named after the module."""
    name = f"{module.removeprefix('bsk_')}_i"
    return write_instance(HdlInstance(module=module, name=name, parameters=parameters, ports=ports))


def _declare(port: StreamPort) -> tuple[str, ...]:
    """Declare a stream's ports, one per line: the parser of the top module reads them so."""
    into, back = ("input", "output") if port.is_input else ("output", "input")
    return (
        f"\t{into} wire [{port.width - 1}:0] {port.name}_V_TDATA",
        f"\t{into} wire {port.name}_V_TVALID",
        f"\t{back} wire {port.name}_V_TREADY",
    )


def _bind(port: StreamPort) -> str:
    """Bind a stream's ports to the signals NAME_data, NAME_valid and NAME_ready."""
    name, rest = port.name, port.width - port.bits
    signals = f"\twire [{port.bits - 1}:0] {name}_data;\n\twire {name}_valid, {name}_ready;\n"
    if port.is_input:
        unused = f"\twire {name}_unused = &{{1'b0, {name}_V_TDATA[{port.width - 1}:{port.bits}]}};\n" if rest else ""
        return (
            f"{signals}\tassign {name}_data = {name}_V_TDATA[{port.bits - 1}:0];\n"
            f"\tassign {name}_valid = {name}_V_TVALID;\n\tassign {name}_V_TREADY = {name}_ready;\n{unused}"
        )
    data = f"{{{rest}'b0, {name}_data}}" if rest else f"{name}_data"
    return (
        f"{signals}\tassign {name}_V_TDATA = {data};\n"
        f"\tassign {name}_V_TVALID = {name}_valid;\n\tassign {name}_ready = {name}_V_TREADY;\n"
    )


def write_wrapper(name: str, ports: tuple[StreamPort, ...], body: str) -> str:
    """Write module `name`. Its body connects the streams' signals NAME_data, NAME_valid and NAME_ready."""
    lines = ("\tinput wire ap_clk", "\tinput wire ap_rst_n", *(line for port in ports for line in _declare(port)))
    listed, bound = ",\n".join(lines), "".join(_bind(port) for port in ports)
    return f"module {name} (\n{listed}\n);\n{bound}{body}endmodule\n"
