"""A design whose layer `fork` feeds `join` over two branches: one of a FIFO alone, one through `work`."""

from bskernel_executors.exchange.design import Design, Fifo, Stream, StreamFormat

STREAM = StreamFormat(width=8, beats=2, parallel=2, bits=4, signed=False, datatype="UINT4", shape=(1, 4))
EDGES = (
    (None, "fork"), ("fork", "short"), ("fork", "before"), ("before", "work"), ("work", "after"), ("after", "join"),
    ("short", "join"), ("join", None),
)  # fmt: skip
BRANCHING = Design(
    sources=(),
    input=STREAM,
    output=STREAM,
    layers=("fork", "short", "before", "work", "after", "join"),
    fifos=tuple(Fifo(name=name, width=8, depth=2) for name in ("short", "before", "after")),
    streams=tuple(
        Stream(
            name=f"{source or 'input'} -> {sink or 'output'}",
            tensor=f"t{at}",
            source=source,
            sink=sink,
            format=STREAM,
        )
        for at, (source, sink) in enumerate(EDGES)
    ),
    estimated_cycles=2,
)
