"""Which outputs of its steps a build directory gets. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bskernel.core.step import Step

_JSON = "application/json"


def written_outputs(steps: Sequence[Step]) -> tuple[frozenset[str], ...]:
    """Of each step of a build, the outputs that its directory gets: the newest of each name, and JSON.

    If a step fails, or leaves out an optional output, the directory gets others too.
    """
    newest = {output.name: at for at, step in enumerate(steps) for output in step.outputs}
    return tuple(
        frozenset(output.name for output in step.outputs if newest[output.name] == at or output.media_type == _JSON)
        for at, step in enumerate(steps)
    )
