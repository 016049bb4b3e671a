"""What passes between the build and workers that share no cache with it: by the shared store, no more than needed."""

from __future__ import annotations

from bskernel_protocol import Artifact, Digest, Failure

from bskernel.core.action import Action
from bskernel.core.interfaces import Store
from bskernel.core.step import Step
from bskernel.execution.step_runner import StepOutcome
from bskernel.store.layered import LayeredStore

_JSON = "application/json"


class ArtifactTransfer:
    """Hands inputs over before steps begin, and takes of what they made the numbers and the log.

    All else stays in the shared store until a build directory wants it. Where the workers use the build's own cache,
    nothing need be done.
    """

    def __init__(self, store: Store, *, handed_over: bool) -> None:
        self._local = store
        self._shared = store if handed_over and isinstance(store, LayeredStore) else None
        self._there: set[Digest] = set()  # what the workers can find

    def give(self, step: Step, inputs: dict[str, Artifact]) -> Failure | None:
        """Have the inputs where the workers find them; why that cannot be, or None."""
        if self._shared is None:
            return None
        if (why := self._shared.unreachable) is not None:
            # It could run, and nobody would get what it makes.
            return _cannot(f"the result of step {step.name} could not be handed over", why)
        new = [artifact for artifact in inputs.values() if artifact.digest not in self._there]
        if new and not self._shared.share(new):
            why = self._shared.failure or "their bytes are gone from the cache"
            return _cannot(f"the inputs of step {step.name} cannot be handed over to the workers", why)
        self._there.update(artifact.digest for artifact in new)
        return None

    def is_doubtful(self, action: Action) -> bool:
        """Was what the shared store has of it found damaged?"""
        return self._shared is not None and self._shared.is_doubtful(action.key.sha256)

    def take(self, step: Step, outcome: StepOutcome) -> Failure | None:
        """Have here what a build reads of every step; why that cannot be, or None."""
        if self._shared is None or outcome.result is None:
            return None
        self._there.update(output.digest for output in outcome.result.outputs)
        if outcome.result.log is not None:
            self._local.put(outcome.log)
        numbers = [output for output in outcome.result.outputs if output.media_type == _JSON]
        if not self._shared.fetch(numbers) and (why := self._shared.unreachable) is not None:
            return _cannot(f"the result of step {step.name} cannot be fetched", why)
        return None


def _cannot(what: str, why: str) -> Failure:
    return Failure(
        category="environment",
        message=f"{what}: the shared store cannot be used",
        cause=(why,),
        hint="see whether it can be read and written from here, and run this again: what was made is kept",
    )
