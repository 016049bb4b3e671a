"""ONNX files written field by field, without the onnx library: an encoder of protobuf's wire format."""

from collections.abc import Sequence

Field = tuple[int, int | bytes]  # number, and a varint or the bytes of a message or text


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def message(*fields: Field) -> bytes:
    parts = [
        varint(number << 3) + varint(value)
        if isinstance(value, int)
        else varint(number << 3 | 2) + varint(len(value)) + value
        for number, value in fields
    ]
    return b"".join(parts)


def tensor(name: str, *, location: str | None = None, raw: bytes = b"", external: bool = True) -> bytes:
    """A TensorProto: its data in `raw`, or in the file `location`."""
    fields: list[Field] = [(1, 2), (1, 300), (2, 1), (8, name.encode())]
    if location is None:
        return message(*fields, (9, raw))
    pairs = (("offset", "0"), ("location", location), ("length", "4"))
    fields += [(13, message((1, key.encode()), (2, value.encode()))) for key, value in pairs]
    return message(*fields, (14, 1 if external else 0))


def graph(initializers: Sequence[bytes] = (), nodes: Sequence[bytes] = ()) -> bytes:
    return message(*((1, node) for node in nodes), (2, b"net"), *((5, item) for item in initializers))


def constant(value: bytes) -> bytes:
    """A NodeProto `Constant` with a tensor."""
    return message((2, b"out"), (4, b"Constant"), (5, message((1, b"value"), (20, 4), (5, value))))


def loop(body: bytes) -> bytes:
    """A NodeProto `Loop` with a graph."""
    return message((1, b"in"), (4, b"Loop"), (5, message((1, b"body"), (20, 5), (6, body))))


def model(content: bytes) -> bytes:
    """A ModelProto with that graph."""
    return message((1, 10), (2, b"test"), (7, content), (8, message((1, b""), (2, 13))))


def network(name: str = "net") -> bytes:
    """A model of one node, for tests that never execute it; its bytes depend on the name."""
    return model(graph(nodes=[message((2, b"out"), (3, name.encode()), (4, b"Constant"))]))
