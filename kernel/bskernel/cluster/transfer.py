"""Moves artifacts between a build and workers with other caches, through the shared store and only as needed."""

from __future__ import annotations

from bskernel_protocol import Artifact, Digest, Failure

from bskernel.core.action import Action
from bskernel.core.interfaces import Store
from bskernel.core.runtime_failures import input_lost
from bskernel.core.step import Step
from bskernel.execution.step_runner import StepOutcome
from bskernel.store.layered import LayeredStore

_JSON = "application/json"


class ArtifactTransfer:
    """Uploads inputs before steps start, and downloads the JSON outputs and logs of their results.

    All other outputs stay in the shared store until a build directory needs them. If the workers use the build's own
    cache, this does nothing.
    """

    def __init__(self, store: Store, *, handed_over: bool) -> None:
        self._local = store
        self._shared = store if handed_over and isinstance(store, LayeredStore) else None
        self._available: set[Digest] = set()  # artifacts that the workers can read

    def send_inputs(self, step: Step, inputs: dict[str, Artifact]) -> Failure | None:
        """Upload a step's inputs for the workers; returns the failure, or None."""
        if self._shared is None:
            return None
        if (why := self._shared.unreachable) is not None:
            # The step could run, but its result would be lost.
            return _store_failure(f"the result of step {step.name} could not be uploaded", why)
        new = [artifact for artifact in inputs.values() if artifact.digest not in self._available]
        if new and not self._shared.share(new):
            if self._shared.unreachable is None:
                return input_lost(new[0].name)
            why = self._shared.failure or "their bytes are missing from the cache"
            return _store_failure(f"the inputs of step {step.name} cannot be uploaded", why)
        self._available.update(artifact.digest for artifact in new)
        return None

    def is_doubtful(self, action: Action) -> bool:
        """True when the shared store's copy of the result was damaged."""
        return self._shared is not None and self._shared.is_doubtful(action.key.sha256)

    def fetch_result(self, step: Step, outcome: StepOutcome) -> Failure | None:
        """Download what a build reads of every step; returns the failure, or None."""
        if self._shared is None or outcome.result is None:
            return None
        self._available.update(output.digest for output in outcome.result.outputs)
        if outcome.result.log is not None:
            self._local.put(outcome.log)
        numbers = [output for output in outcome.result.outputs if output.media_type == _JSON]
        if not self._shared.fetch(numbers) and (why := self._shared.unreachable) is not None:
            return _store_failure(f"the result of step {step.name} cannot be fetched", why)
        return None


def _store_failure(what: str, why: str) -> Failure:
    return Failure(
        category="environment",
        message=f"{what}: the shared store cannot be used",
        cause=(why,),
        hint="check that it can be read and written from here, then run this again: results are kept",
    )
