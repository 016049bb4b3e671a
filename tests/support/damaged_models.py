"""Damages a valid model in many ways.

Run as a program, in a process of its own, it takes each damaged model through the first steps. It prints one JSON
object per line: the seed, what was done to the model, how it ended, and how long that took.
"""

import contextlib
import json
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
from bskernel.workspace.onnx_file import OnnxDamage, external_locations
from bskernel_executors.qonnx_transform.adaptation.adapter import adapt_model
from bskernel_executors.qonnx_transform.adaptation.quantization import check_quantization, check_widths
from bskernel_executors.qonnx_transform.checks import check_model, read_model
from bskernel_executors.sdk.causes import make_failure
from bskernel_executors.sdk.classification import FailureContext
from google.protobuf.descriptor import FieldDescriptor
from qonnx.util.cleanup import cleanup_model

HUGE = (0, -1, 1 << 20, 1 << 31, (1 << 40) + 1, (1 << 63) - 1, -(1 << 63))


def bits(data: bytes, draw: random.Random) -> bytes:
    """Flip a few bits."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(data: bytes, draw: random.Random) -> bytes:
    """Keep the beginning, perhaps with other bytes behind it."""
    kept = data[: draw.randrange(len(data))]
    return kept + draw.choice((b"", draw.randbytes(64), bytes(64)))


def moved(data: bytes, draw: random.Random) -> bytes:
    """Remove, repeat or overwrite a stretch."""
    start = draw.randrange(len(data))
    end = min(len(data), start + draw.choice((1, 4, 60, 600)))
    return data[:start] + draw.choice((b"", data[start:end] * 2, draw.randbytes(end - start))) + data[end:]


def messages(root: Any) -> list[Any]:
    """Every message in a message."""
    found, waiting = [], [root]
    while waiting:
        message = waiting.pop()
        found.append(message)
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                waiting += [value] if hasattr(value, "ListFields") else list(value)
    return found


def field(model: Any, draw: random.Random) -> str:
    """Clear, empty or change one field of one message."""
    message = draw.choice([item for item in messages(model) if item.ListFields()])
    chosen, value = draw.choice(message.ListFields())
    where = f"{type(message).__name__}.{chosen.name}"
    if hasattr(value, "append"):
        at = draw.randrange(len(value))
        how = draw.choice(("clear", "remove", "repeat", "reverse", "change"))
        if how == "remove":
            del value[at]
        elif how == "repeat":
            value.append(value[at])
        elif how == "reverse":
            items = [
                type(item).FromString(item.SerializeToString()) if hasattr(item, "ListFields") else item
                for item in value
            ]
            del value[:]
            value.extend(reversed(items))
        elif how == "change" and not hasattr(value[at], "ListFields"):
            value[at] = other(value[at], draw)
        else:
            message.ClearField(chosen.name)
        return f"{how} {where}"
    if hasattr(value, "ListFields") or draw.random() < 0.4:
        message.ClearField(chosen.name)
        return f"clear {where}"
    try:
        setattr(message, chosen.name, other(value, draw))
    except (ValueError, TypeError):  # an enumeration, or 32 bits
        message.ClearField(chosen.name)
    return f"change {where}"


def other(value: Any, draw: random.Random) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw.choice((*HUGE, value + 1, -value, value * 2))
    if isinstance(value, float):
        return draw.choice((float("nan"), float("inf"), -value, 0.0, 1e38))
    if isinstance(value, bytes):
        return draw.choice((b"", value[:-1], value * 2, draw.randbytes(9), b"\xff\xfe"))
    return draw.choice(("", value * 2, "x" * 300, "../" * 9, "\x1b[2J", "inp", "a\x00b"))


def structure(model: Any, draw: random.Random) -> str:
    """Damage what only the graph as a whole shows."""
    graph = model.graph
    node = draw.choice(graph.node)
    how = draw.choice(
        ("no outputs", "no inputs", "cycle", "self", "twice", "huge input", "huge constant", "huge attribute",
         "deep", "wrong type", "unknown operator", "lost", "no name", "many", "sparse", "quant", "by name", "outputs")
    )  # fmt: skip
    if how == "no outputs":
        del node.output[:]
    elif how == "no inputs":
        del node.input[:]
    elif how == "cycle" and node.input:
        node.input[0] = graph.node[-1].output[0]
    elif how == "self" and node.input:
        node.input[draw.randrange(len(node.input))] = node.output[0]
    elif how == "twice":
        graph.node.append(node)
    elif how == "huge input":
        for dimension in draw.choice(graph.input).type.tensor_type.shape.dim:
            dimension.dim_value = draw.choice((1 << 12, 1 << 16, 1 << 33, (1 << 63) - 1))
    elif how == "huge constant" and graph.initializer:
        constant = draw.choice(graph.initializer)
        constant.dims[:] = [draw.choice((1 << 16, 1 << 40))] * draw.randrange(1, 5)
    elif how == "huge attribute":
        for attribute in node.attribute:
            if attribute.ints:
                attribute.ints[:] = [draw.choice(HUGE[2:]) for _ in attribute.ints]
            elif attribute.type == onnx.AttributeProto.INT:
                attribute.i = draw.choice(HUGE)
    elif how == "deep":
        inner = onnx.helper.make_graph([], "inner", [], [])
        for _ in range(draw.choice((5, 20, 28))):
            holder = onnx.helper.make_node("If", ["c"], ["o"], then_branch=inner, else_branch=onnx.GraphProto())
            inner = onnx.helper.make_graph([holder], "inner", [], [])
        graph.node.append(onnx.helper.make_node("If", [graph.input[0].name], ["deep"], then_branch=inner))
    elif how == "wrong type":
        draw.choice((*graph.input, *graph.output)).type.tensor_type.elem_type = draw.randrange(0, 25)
    elif how == "unknown operator":
        node.op_type, node.domain = draw.choice((("Nothing", ""), ("Conv", "nowhere"), ("", ""), ("Quant", "")))
    elif how == "lost" and node.input:
        node.input[draw.randrange(len(node.input))] = "nowhere"
    elif how == "no name":
        for item in (*graph.input, *graph.output, *graph.initializer, *graph.node):
            item.name = ""
    elif how == "many":
        for number in range(3000):
            graph.node.append(onnx.helper.make_node("Identity", [f"m{number}"], [f"m{number + 1}"]))
    elif how == "sparse":
        graph.sparse_initializer.add().dims[:] = [1 << 40, 1 << 40]
    elif how == "quant":
        for item in graph.node:
            for attribute in item.attribute:
                attribute.type = draw.randrange(0, 12)
    elif how == "by name":
        for dimension in graph.input[0].type.tensor_type.shape.dim:
            dimension.dim_param = "N"
    elif how == "outputs":
        del graph.output[:]
    return how


def convolutions() -> bytes:
    """A small network of convolutions, with pools and quantizers."""
    text = """
        <ir_version: 8, opset_import: ["": 13, "qonnx.custom_op.general": 1]>
        net (float[1, 2, 8, 8] inp) => (float[1, 4] out)
        <float one = {1.0}, float zero = {0.0}, float bits = {4.0}, float[4] bias = {0.0, 1.0, 2.0, 3.0}>
        {
            w = Constant <value = float[4, 2, 3, 3] {WEIGHTS}> ()
            wq = qonnx.custom_op.general.Quant <signed = 1, narrow = 0, rounding_mode = "ROUND"> (w, one, zero, bits)
            q = qonnx.custom_op.general.Quant <signed = 1, narrow = 0, rounding_mode = "ROUND"> (inp, one, zero, bits)
            c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1], group = 1> (q, wq, bias)
            r = Relu (c)
            m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
            a = qonnx.custom_op.general.Quant <signed = 0, narrow = 0, rounding_mode = "ROUND"> (m, one, zero, bits)
            g = GlobalAveragePool (a)
            out = Flatten <axis = 1> (g)
        }
    """
    weights = ", ".join(str(float(number % 7 - 3)) for number in range(72))
    made: bytes = onnx.parser.parse_model(text.replace("WEIGHTS", weights)).SerializeToString()
    return made


def damaged(data: bytes, seed: int) -> tuple[str, bytes]:
    """A damaged model, and what was done to it."""
    draw = random.Random(seed)  # noqa: S311
    kind = seed % 6
    if kind < 3:
        function = (bits, cut, moved)[kind]
        return function.__name__, function(data, draw)
    model = onnx.load_model_from_string(data)
    done = [(field, structure, structure)[kind - 3](model, draw)]
    if draw.random() < 0.2:
        done.append(field(model, draw))
    return " + ".join(done), model.SerializeToString()


def steps(path: Path) -> None:
    """What planning, `adapt` and `cleanup` do with a model."""
    with contextlib.suppress(OnnxDamage):
        external_locations(path)
    model = read_model(path, untrusted=True).model
    adapt_model(model)
    check_quantization(model)
    check_widths(model, 8)
    path.write_bytes(model.SerializeToString(deterministic=True))
    cleaned = cleanup_model(read_model(path, untrusted=True))
    check_model(cleaned, None, None)


def too_long(*_: object) -> None:
    raise TimeoutError("too long")


def main(whole: str, folder: Path, limit_s: int, seeds: range) -> None:
    """Take the damaged models of these seeds through the first steps."""
    signal.signal(signal.SIGALRM, too_long)
    sound = convolutions() if whole == "convolutions" else Path(whole).read_bytes()
    for seed in seeds:
        what, data = damaged(sound, seed)
        path = folder / "damaged.onnx"
        path.write_bytes(data)
        began, failure = time.monotonic(), None
        signal.alarm(limit_s)
        try:
            steps(path)
        except Exception as error:  # noqa: BLE001 - whatever a library raises
            context = FailureContext(step="adapt", entry="adapt", default_category="model_load")
            failure = make_failure(error, context)
        finally:
            signal.alarm(0)
        row = {"seed": seed, "what": what, "s": round(time.monotonic() - began, 2)}
        if failure is not None:
            row |= {
                "category": failure.category,
                "message": failure.message,
                "exception": failure.facts.get("exception"),
            }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), range(int(sys.argv[4]), int(sys.argv[5])))
