"""The figures that the project promises: which kinds they count, and which broken promises."""

import msgspec

from chaos.kind import Breach


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """None of `goal` tries of these kinds may break a promise in one of these ways."""

    name: str
    kinds: tuple[str, ...]  # names, or beginnings that end in /
    goal: int
    breaches: tuple[Breach, ...]

    def counts(self, kind: str) -> bool:
        """True for a kind of this figure."""
        return any(kind.startswith(name) if name.endswith("/") else kind == name for name in self.kinds)


_STEPS = ("files", "links", "outputs", "processes", "resources", "reach", "siblings", "handles")
_HARM: tuple[Breach, ...] = ("hang", "escape", "traceback", "left over", "wrong")
FIGURES = (
    Figure(
        name="kill -9 at each operation of a build, then any one command: left over",
        kinds=("kills/kernel-at-operation",),
        goal=600,
        breaches=("left over",),
    ),
    Figure(
        name="kill -9 at random, processes: corrupt or wrong",
        kinds=("kills/kernel", "kills/executor", "kills/warm", "kills/several", "kills/sweep"),
        goal=500,
        breaches=("wrong",),
    ),
    Figure(
        name="kill -9 at random, Docker: corrupt or wrong",
        kinds=("kills/kernel-docker",),
        goal=200,
        breaches=("wrong",),
    ),
    Figure(
        name="hostile steps, processes: hang, escape, traceback, left over or wrong",
        kinds=tuple(f"hostile/{name}" for name in _STEPS),
        goal=150,
        breaches=_HARM,
    ),
    Figure(
        name="hostile steps, Docker: hang, escape, traceback, left over or wrong",
        kinds=tuple(f"hostile/{name}-docker" for name in _STEPS),
        goal=150,
        breaches=_HARM,
    ),
    Figure(
        name="power failures that the next run does not heal",
        kinds=("power/",),
        goal=100,
        breaches=("hang", "traceback", "left over", "unclear", "other"),
    ),
    Figure(name="power failures: silently wrong", kinds=("power/",), goal=100, breaches=("wrong",)),
    Figure(
        name="damaged messages, frames, documents: undeclared exceptions, hangs",
        kinds=("fuzz/",),
        goal=10_000_000,
        breaches=("traceback", "hang"),
    ),
    Figure(
        name="damaged artifacts that a run leaves and says ok",
        kinds=("damage/artifacts",),
        goal=272,
        breaches=("wrong",),
    ),
    Figure(
        name="damaged or foreign files in cache and build directory: tracebacks, hangs",
        kinds=("damage/",),
        goal=500,
        breaches=("traceback", "hang"),
    ),
    Figure(
        name="damaged ONNX files: unclear ends",
        kinds=("models/",),
        goal=1000,
        breaches=("unclear", "hang", "traceback"),
    ),
)
